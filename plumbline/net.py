"""Local ports and their listeners, and HTTP sessions without proxies."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil
import requests

_PORTS = range(20_000, 30_000)
"""Below those of a cluster's nodes."""
_FIRST_OF_CONNECTIONS = 32_768
_ATTEMPTS = 100


def direct_session() -> requests.Session:
    """Return an HTTP session that ignores proxies and .netrc. It trusts what `trust` names, else REQUESTS_CA_BUNDLE."""
    session = requests.Session()
    session.trust_env = False
    session.verify = _own_authority() or os.environ.get("REQUESTS_CA_BUNDLE") or True
    return session


def _own_authority() -> str | None:
    with contextlib.suppress(PermissionError):  # another account than the stack's own
        if _authority.is_file():
            return str(_authority)
    return None


_authority = Path()


def trust(authority: Path) -> None:
    """Let every later session trust the authority whose certificate is in this file, as soon as it exists."""
    global _authority
    _authority = authority


def free_port() -> int:
    """Return a loopback port that is free for both TCP and UDP.

    It is below the ports that the system gives to connections: one of those could take it before its server starts.
    """
    reserved = _PORTS[-1] < _first_of_connections()
    for attempt in range(2 * _ATTEMPTS):
        port = next(_ports) if reserved and attempt < _ATTEMPTS else 0
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            found = int(tcp.getsockname()[1])
            udp.bind(("127.0.0.1", found))
            return found
    raise OSError("no port of this machine is free")


def _one_after_the_other(ports: range) -> Iterator[int]:
    """Return an endless iterator, which begins anywhere: another command may be looking for ports at the same time."""
    begin = secrets.randbelow(len(ports))
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _one_after_the_other(_PORTS)


def use_ports(part: int, parts: int) -> None:
    """Let `free_port` choose from one of several equal parts, so that several processes never choose the same."""
    global _ports
    _ports = _one_after_the_other(_PORTS[part * len(_PORTS) // parts : (part + 1) * len(_PORTS) // parts])


@cache
def _first_of_connections() -> int:
    """Return the first port that the system gives to connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return _FIRST_OF_CONNECTIONS


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a TCP listener can be opened on `host`:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listener(port: int) -> psutil.Process | None:
    """Return the process that listens on TCP `port`, if this user may see it."""
    with contextlib.suppress(psutil.Error):  # macOS allows this for root only
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and bool(connection.laddr)
            if listens and tuple(connection.laddr)[1:] == (port,) and connection.pid:
                return psutil.Process(connection.pid)
    return None


def describe_listener(port: int) -> str:
    """Return a description of the process that listens on `port`."""
    process = listener(port)
    if process is None:
        return "a process that this user may not see"
    with contextlib.suppress(psutil.Error):
        return f"{process.name()} (pid {process.pid}, user {process.username()})"
    return f"pid {process.pid}"
