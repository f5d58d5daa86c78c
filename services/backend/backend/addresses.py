"""Where a request comes from, and what counts as one address."""

from __future__ import annotations

import ipaddress

from fastapi import Request
from servicekit import context

_IPV6_HOME = 64
"""A household or a server has a whole network of this prefix length, so single IPv6 addresses say nothing."""


def client_address(request: Request) -> str:
    """Return the address that Caddy saw a request come from. Requests that Caddy did not pass on are refused before."""
    return context.client_address() or (request.client.host if request.client else "unknown")


def counted_as(address: str) -> str:
    """Return what limits count `address` under: itself, or its network for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_HOME), strict=False))
