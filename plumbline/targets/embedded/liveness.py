"""Does a component answer? Any answer will do, to the smallest question that its main loop has to answer by itself."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

ANSWER_S = 5.0
"""How long one that lives may take on a busy machine."""
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_HTTP = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at a port of this machine."""

    port: int
    words: bytes


def questions(ports: dict[str, int]) -> dict[str, Question]:
    """Return what to ask each component. None of it needs a password, and none asks for what another one has to do."""
    paths = {
        "backend": "/health/live",
        "data-processor": "/data-processor/health/live",
        "log-sink": "/logs/health/live",
    }
    return {
        "postgres": Question(ports["postgres"], _SSL_REQUEST),  # answered by a process that the server starts for it
        "redis": Question(ports["redis"], b"PING\r\n"),
        **{name: Question(ports[name], _HTTP.format(path).encode()) for name, path in paths.items()},
        "caddy": Question(ports["internal"], _HTTP.format("/health/live").encode()),
    }


def silent(question: Question, patience_s: float = ANSWER_S) -> str | None:
    """Ask. Return why there is no answer, None if there is one."""
    try:
        with socket.create_connection(("127.0.0.1", question.port), patience_s) as connection:
            connection.sendall(question.words)
            answered = connection.recv(1) != b""
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except OSError as error:
        return f"port {question.port}: {error.strerror or error}"
    return None if answered else f"port {question.port}: the connection was closed without an answer"


def all_silent(asked: dict[str, Question], patience_s: float) -> dict[str, str]:
    """Ask all of them at the same time; return those that do not answer, and why."""
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        reasons = pool.map(lambda one: silent(one, patience_s), asked.values())
        return {name: reason for name, reason in zip(asked, reasons, strict=True) if reason}
