"""The one shape of an error (RFC 9457 problem details)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from servicekit.context import request_id

CONTENT_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Return a problem document. `code` is for programs, `detail` for people: what happened and what to do next."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id.get(),
        **extra,
    }
