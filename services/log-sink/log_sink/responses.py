"""JSON responses and problem documents."""

from __future__ import annotations

from typing import Any

import orjson
from servicekit.codes import Code
from servicekit.problems import CONTENT_TYPE, problem
from starlette.responses import Response


def json_response(body: Any, status: int = 200) -> Response:
    """Return `body` as JSON that is not cached."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, "application/json")


def problem_response(
    code: Code, detail: str, *, status: int | None = None, headers: dict[str, str] | None = None, **extra: Any
) -> Response:
    """Return a problem document; a 503 has a `Retry-After`."""
    body = problem(code, detail, status=status, **extra)
    fixed = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if body["status"] == 503 else {})
    return Response(orjson.dumps(body), body["status"], fixed | (headers or {}), CONTENT_TYPE)


def redis_away() -> Response:
    """Return the 503 of routes that read Redis."""
    return problem_response(
        Code.REDIS_UNAVAILABLE,
        "The recorder's Redis does not answer. Entries wait in the log-sink and appear once it is back.",
    )
