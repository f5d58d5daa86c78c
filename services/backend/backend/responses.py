"""Builds responses from rows, and their descriptions in OpenAPI."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response
from servicekit.openapi import Problem
from servicekit.problems import CONTENT_TYPE

from backend.database import Row

_REFUSALS = {
    401: "No session, or an invalid one",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict with the current state",
    413: "Body too large",
    415: "Body is not JSON",
    422: "Invalid input",
    429: "Too many attempts",
    503: "The database is unreachable or not migrated",
}


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `body`, plain data with datetimes, as a JSON response."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def page_response(rows: list[Row], limit: int, key: str) -> Response:
    """Return a page of `limit` of the `rows`, queried with `limit + 1`; `next` is its last `key` if there are more."""
    return json_response({"items": rows[:limit], "next": rows[limit - 1][key] if len(rows) > limit else None})


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses`: the problem documents of these statuses, and of 422 and 503."""
    return {
        status: {
            "description": _REFUSALS[status],
            "model": Problem,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (*statuses, 422, 503)
    }
