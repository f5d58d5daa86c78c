"""Client addresses, and what rate limits count as one address."""

from __future__ import annotations

import ipaddress

from fastapi import Request
from servicekit import context

_IPV6_PREFIX = 64
"""One household or server usually owns a whole network of this prefix length."""


def client_address(request: Request) -> str:
    """Return the client address that Caddy saw. Requests that bypass Caddy are refused earlier."""
    return context.client_address() or (request.client.host if request.client else "unknown")


def limit_key(address: str) -> str:
    """Return the key of `address` in rate limits: the address itself, or its network for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_PREFIX), strict=False))
