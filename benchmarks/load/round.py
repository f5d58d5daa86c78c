"""What the generator is told to do, and what it says afterwards. Both travel between two processes."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS = 16


class LoadError(Exception):
    """A wrong answer, or none: nothing that was measured can be trusted. The message quotes the answer."""


@dataclass(frozen=True, slots=True)
class Round:
    """One stretch of load on 127.0.0.1:`port`.

    `requests` are whole HTTP requests (or WebSocket frames), sent each once, in order, or over and over with `repeat`.
    The round ends after `seconds`, or when all are sent. An answer is correct with this `status` and a body of at
    least `least` bytes. With `opening`, a handshake, connections become WebSockets and answers are frames.
    """

    port: int
    requests: tuple[bytes, ...]
    repeat: bool
    seconds: float
    status: int = 200
    least: int = 1
    opening: bytes = b""
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Result:
    """`answers` correct answers in `seconds`, from the first request to the last answer."""

    answers: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds
