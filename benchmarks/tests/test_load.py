"""The load generator counts only correct answers: any other answer ends the measurement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from benchmarks.load.generator import carry_out
from benchmarks.load.round import LoadError, Result, Round

_RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
_REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
_CONNECTIONS = 4


class _Server:
    """Answers every request with the same bytes, and counts them."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.answered = 0

    @contextlib.asynccontextmanager
    async def port(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(self._answer)
                self.answered += 1
                if not self._answer:
                    writer.close()


def _run(server: _Server, seconds: float) -> Result:
    async def measure() -> Result:
        async with server.port() as port:
            return await carry_out(Round(port, (_REQUEST,), seconds, least=4, connections=_CONNECTIONS))

    return asyncio.run(measure())


def test_every_right_answer_counts_once() -> None:
    server = _Server(_RIGHT)
    result = _run(server, 0.1)
    assert result.answers == server.answered >= _CONNECTIONS
    assert result.rate == pytest.approx(result.answers / result.seconds)


def test_a_round_measures_one_answer_a_connection_at_least() -> None:
    assert _run(_Server(_RIGHT), 0.0).answers == _CONNECTIONS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_RIGHT.replace(b"200 OK", b"500 Internal Server Error"), "^HTTP/1.1 200 was expected.*500"),
        (_RIGHT.replace(b"200 OK", b"429 Too Many Requests"), "refused a request as too much with 4 connections.*429"),
        (_RIGHT.replace(b"200 OK", b"503 Service Unavailable"), "refused a request as too much.*503"),
        (_RIGHT.replace(b"Content-Length: 4", b"Connection: close"), "without Content-Length"),
        (_RIGHT.replace(b"4\r\n\r\nfine", b"2\r\n\r\nno"), "4 bytes or more"),
        (b"", "closed a connection"),
    ],
)
def test_a_wrong_answer_ends_the_round(answer: bytes, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        _run(_Server(answer), 30.0)
