"""Liveness checks of components. Any answer counts, to a minimal request that the main loop must answer itself.

A worker has no port. It touches a heartbeat file repeatedly instead.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from plumbline.components import TABLE, ComponentSpec
from plumbline.home import Home
from plumbline.patience import activity_of

ANSWER_S = 5.0
"""Time to answer on a busy machine."""
HEARTBEAT_S = 10.0
"""Maximum age of a worker's heartbeat; workers touch it every second."""
MOST_S = 30.0
"""How long an answer of a component that works is waited for before it counts as hanging."""
_PAUSE_S = 0.2
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


def checks(
    home: Home, ports: dict[str, int], table: Iterable[ComponentSpec] = TABLE
) -> dict[str, LivenessRequest | Heartbeat]:
    """Return each component's liveness check. It needs no password and does not depend on other components."""
    return {
        one.name: LivenessRequest(ports[one.port.name], one.live_request or _HTTP.format(one.live_path).encode())
        if one.ports
        else heartbeat(home, one.name)
        for one in table
    }


def silent(
    check: LivenessRequest | Heartbeat, patience_s: float = ANSWER_S, may_wait: Callable[[], bool] = lambda: False
) -> str | None:
    """Run the check. Return why there is no answer in that time, None if there is one.

    The answer is waited for again as long as `may_wait` returns True.
    """
    if isinstance(check, Heartbeat):
        return _stale(check.file)
    try:
        with socket.create_connection(("127.0.0.1", check.port), patience_s) as connection:
            connection.sendall(check.data)
            while True:
                try:
                    answered = connection.recv(1) != b""
                    break
                except TimeoutError:
                    if not may_wait():
                        raise
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


def hangs(check: LivenessRequest | Heartbeat, pid: int, patience_s: float) -> str | None:
    """Run the check of a running component. Return why it hangs, None if it answers.

    On a busy machine an answer takes longer. It is waited for as long as the component works, and asked for again.
    """
    until = time.monotonic() + MOST_S
    seen = activity_of(pid)

    def works() -> bool:
        nonlocal seen
        before, seen = seen, activity_of(pid)
        works = seen.is_busy or seen.work != before.work
        return works and not seen.is_suspended and time.monotonic() < until

    reason = silent(check, patience_s, works)
    while reason is not None and isinstance(check, Heartbeat) and works():
        time.sleep(_PAUSE_S)
        reason = silent(check)
    if reason is None or seen.is_suspended:
        return reason
    time.sleep(_PAUSE_S)
    return silent(check, patience_s, works)


def all_hanging(wanted: Mapping[str, tuple[LivenessRequest | Heartbeat, int]], patience_s: float) -> dict[str, str]:
    """Check components, each with the pid of its process, concurrently; return those that hang, and why."""
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        reasons = pool.map(lambda one: hangs(one[0], one[1], patience_s), wanted.values())
        return {name: reason for name, reason in zip(wanted, reasons, strict=True) if reason}
