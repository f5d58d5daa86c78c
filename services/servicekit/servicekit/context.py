"""Context of the request that is being handled."""

from __future__ import annotations

import ipaddress
import re
import uuid
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
forwarded_for: ContextVar[str | None] = ContextVar("forwarded_for", default=None)
"""The header X-Forwarded-For. Its last address is the client that connected to Caddy."""

_SHAPE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept_request_id(header: str | None) -> str:
    """Return the id that Caddy put on the request, or a new one if it is absent or malformed."""
    return header if header and _SHAPE.fullmatch(header) else uuid.uuid4().hex


def client_address() -> str | None:
    """Return the address that the current request came from, for logs; None if it is not known."""
    last = (forwarded_for.get() or "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None
