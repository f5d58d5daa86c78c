"""The input and the result of the generator. Both are sent between two processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

CONNECTIONS = 16
MARK = b"<the-number>"
"""Becomes a number of the same length in each request, which no other request has."""


class LoadError(Exception):
    """A wrong answer, or none, which makes the measurement worthless. The message quotes the answer."""


def numbers() -> Iterator[bytes]:
    """Yield what `MARK` becomes: later calls yield higher numbers, as long as a second has fewer than a million."""
    for number in itertools.count(time.time_ns() // 1000 % 10 ** len(MARK)):
        yield b"%0*d" % (len(MARK), number)


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
