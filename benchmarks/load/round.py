"""The input and the result of the generator. Both are sent between two processes."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS = 16


class LoadError(Exception):
    """A wrong answer, or none, which makes the measurement worthless. The message quotes the answer."""


@dataclass(frozen=True, slots=True)
class Round:
    """`seconds` of load on 127.0.0.1:`port`.

    `requests` are whole HTTP requests, sent in turns, each connection waiting for its answer. An answer is correct with
    this `status` and a body of at least `least` bytes.
    """

    port: int
    requests: tuple[bytes, ...]
    seconds: float
    status: int = 200
    least: int = 1
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
