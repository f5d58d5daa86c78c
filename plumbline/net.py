"""Local ports and their listeners, and HTTP sessions without proxies."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil
import requests


def direct_session() -> requests.Session:
    """Return an HTTP session that ignores proxies and .netrc. It trusts REQUESTS_CA_BUNDLE, if set."""
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    return session


def free_port() -> int:
    """Return a loopback port that is free for both TCP and UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


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
