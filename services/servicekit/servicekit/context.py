"""The request that the current code works for."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_SHAPE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept_request_id(header: str | None) -> str:
    """Return the id that Caddy put on the request, or a new one if it is absent or of another shape."""
    return header if header and _SHAPE.fullmatch(header) else uuid.uuid4().hex
