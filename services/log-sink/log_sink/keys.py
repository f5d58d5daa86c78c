"""Checks the internal secret in Caddy's datagrams, which any user of the machine could send, and takes it out."""

from __future__ import annotations

import re

import orjson
from servicekit.inside import InternalSecret

_KEY = re.compile(rb',"plumbline_key":("(?:[^"\\]|\\.)*")')
"""As the Caddyfile appends it. It cannot stand inside another value: there its quotation marks would be escaped."""


def opened(datagram: bytes, secret: InternalSecret) -> bytes | None:
    """Return Caddy's entry without the secret; None if it does not carry it."""
    found = _KEY.search(datagram)
    if found is None:
        return None
    try:
        shown = orjson.loads(found[1]).encode()
    except orjson.JSONDecodeError:
        return None
    return datagram[: found.start()] + datagram[found.end() :] if secret.matches(shown) else None
