"""Liveness checks of components. Any answer counts, to a minimal request that the main loop must answer itself.

A worker has no port. It touches a heartbeat file repeatedly instead.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from plumbline.components import TABLE
from plumbline.home import Home

ANSWER_S = 5.0
"""Time to answer on a busy machine."""
HEARTBEAT_S = 10.0
"""Maximum age of a worker's heartbeat; workers touch it every second."""
_HTTP = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class LivenessRequest:
    """A liveness request to a port of this machine."""

    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The file that a worker touches repeatedly."""

    file: Path


def heartbeat(home: Home, name: str) -> Heartbeat:
    """Return the heartbeat of a worker."""
    return Heartbeat(home.run / f"{name}.heartbeat")


def checks(home: Home, ports: dict[str, int]) -> dict[str, LivenessRequest | Heartbeat]:
    """Return each component's liveness check. It needs no password and does not depend on other components."""
    return {
        one.name: LivenessRequest(ports[one.port.name], one.live_request or _HTTP.format(one.live_path).encode())
        if one.ports
        else heartbeat(home, one.name)
        for one in TABLE
    }


def silent(check: LivenessRequest | Heartbeat, patience_s: float = ANSWER_S) -> str | None:
    """Run the check. Return why there is no answer, None if there is one."""
    if isinstance(check, Heartbeat):
        return _stale(check.file)
    try:
        with socket.create_connection(("127.0.0.1", check.port), patience_s) as connection:
            connection.sendall(check.data)
            answered = connection.recv(1) != b""
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except OSError as error:
        return f"port {check.port}: {error.strerror or error}"
    return None if answered else f"port {check.port}: the connection was closed without an answer"


def _stale(file: Path) -> str | None:
    try:
        age = time.time() - file.stat().st_mtime
    except OSError:
        return f"no heartbeat at {file}"
    return f"no heartbeat within {HEARTBEAT_S:g} s" if age > HEARTBEAT_S else None


def all_silent(wanted: Mapping[str, LivenessRequest | Heartbeat], patience_s: float) -> dict[str, str]:
    """Run all checks concurrently; return the components that do not answer, and why."""
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        reasons = pool.map(lambda one: silent(one, patience_s), wanted.values())
        return {name: reason for name, reason in zip(wanted, reasons, strict=True) if reason}
