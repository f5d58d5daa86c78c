"""How rows become responses."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response
from servicekit.problems import CONTENT_TYPE

from backend.database import Row
from backend.schemas import Problem

_REFUSALS = {
    401: "No session, or one that proves nothing",
    403: "Not allowed",
    404: "No such thing",
    409: "In conflict with what is there",
    413: "Body too large",
    415: "Body is not JSON",
    422: "Invalid input",
    429: "Too many attempts",
    503: "The database is away or behind",
}


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `body`, plain data with datetimes, as a JSON response."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def page_response(rows: list[Row], limit: int, key: str) -> Response:
    """Return one page of `rows`, of which the statement was asked for one more than `limit`.

    `next` is the `key` of the page's last row if there are more.
    """
    return json_response({"items": rows[:limit], "next": rows[limit - 1][key] if len(rows) > limit else None})


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these statuses' problem documents, for a route's `responses`."""
    return {
        status: {
            "description": _REFUSALS[status],
            "model": Problem,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (*statuses, 422, 503)
    }
