"""Does a component answer? Any answer will do, to the smallest question that its main loop has to answer by itself.

A worker, which has no port, is asked for nothing: it writes a heartbeat file in its directory again and again.
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
"""How long one that lives may take on a busy machine."""
HEARTBEAT_S = 10.0
"""How old the heartbeat of a worker that lives may be; workers write one every second."""
_HTTP = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at a port of this machine."""

    port: int
    words: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The file that a worker touches again and again."""

    file: Path


def heartbeat(home: Home, name: str) -> Heartbeat:
    """Return the heartbeat of a worker."""
    return Heartbeat(home.run / f"{name}.heartbeat")


def questions(home: Home, ports: dict[str, int]) -> dict[str, Question | Heartbeat]:
    """Return what to ask each component. None of it needs a password, and none asks for what another one has to do."""
    return {
        one.name: Question(ports[one.port.name], one.live_request or _HTTP.format(one.live_path).encode())
        if one.ports
        else heartbeat(home, one.name)
        for one in TABLE
    }


def silent(question: Question | Heartbeat, patience_s: float = ANSWER_S) -> str | None:
    """Ask. Return why there is no answer, None if there is one."""
    if isinstance(question, Heartbeat):
        return _stale(question.file)
    try:
        with socket.create_connection(("127.0.0.1", question.port), patience_s) as connection:
            connection.sendall(question.words)
            answered = connection.recv(1) != b""
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except OSError as error:
        return f"port {question.port}: {error.strerror or error}"
    return None if answered else f"port {question.port}: the connection was closed without an answer"


def _stale(file: Path) -> str | None:
    try:
        age = time.time() - file.stat().st_mtime
    except OSError:
        return f"no heartbeat at {file}"
    return f"no heartbeat within {HEARTBEAT_S:g} s" if age > HEARTBEAT_S else None


def all_silent(asked: Mapping[str, Question | Heartbeat], patience_s: float) -> dict[str, str]:
    """Ask all of them at the same time; return those that do not answer, and why."""
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        reasons = pool.map(lambda one: silent(one, patience_s), asked.values())
        return {name: reason for name, reason in zip(asked, reasons, strict=True) if reason}
