"""The format of every error (RFC 9457 problem details)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from servicekit.codes import Code
from servicekit.context import request_id

CONTENT_TYPE = "application/problem+json"


def problem(code: Code, detail: str, *, status: int | None = None, **extra: Any) -> dict[str, Any]:
    """Return a problem document. `code` is for programs, `detail` for people: what happened and what to do next.

    `status` is the code's usual one unless given. Raises ValueError for a code that is not listed.
    """
    code = Code(code)
    status = status or code.status
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code.value,
        "detail": detail,
        "request_id": request_id.get(),
        **extra,
    }
