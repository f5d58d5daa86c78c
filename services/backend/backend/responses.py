"""Builds responses from rows, and their descriptions in OpenAPI."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response
from servicekit import openapi, repeats
from servicekit.codes import Code
from servicekit.openapi import Problem

from backend.database import Row

REPEATABLE: dict[str, Any] = {"parameters": [repeats.PARAMETER]}
"""The `openapi_extra` of a route that takes an `Idempotency-Key`."""


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `body`, plain data with datetimes, as a JSON response."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def pick(row: Row, names: tuple[str, ...]) -> Row:
    """Return these columns of a row."""
    return {name: row[name] for name in names}


def page_response(rows: list[Row], limit: int, key: str) -> Response:
    """Return a page of `limit` of the `rows`, queried with `limit + 1`; `next` is its last `key` if there are more."""
    return json_response({"items": rows[:limit], "next": rows[limit - 1][key] if len(rows) > limit else None})


def refusals(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses`: what it refuses with these codes. `openapi` adds those of every route."""
    return {status: {"model": Problem, **described} for status, described in openapi.refusals(codes).items()}
