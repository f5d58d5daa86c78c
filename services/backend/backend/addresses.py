"""Where a request comes from, and what counts as one address."""

from __future__ import annotations

import ipaddress

from fastapi import Request

from backend.settings import Network

_IPV6_HOME = 64
"""A household or a server has a whole network of this prefix length, so single IPv6 addresses say nothing."""


def client_address(request: Request, trusted: tuple[Network, ...]) -> str:
    """Return the address a request came from: what the proxy in front of us saw, if the peer is one that we trust."""
    peer = request.client.host if request.client else "unknown"
    forwarded = request.headers.getlist("x-forwarded-for")
    if not forwarded:
        return peer
    try:
        if any(ipaddress.ip_address(peer) in network for network in trusted):
            # The last entry is our proxy's own observation; those before it are hearsay.
            return str(ipaddress.ip_address(forwarded[-1].rpartition(",")[2].strip()))
    except ValueError:
        pass
    return peer


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
