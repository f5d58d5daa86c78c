"""The load generator counts right answers alone: whatever else comes ends the measurement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from benchmarks.load.generator import carry_out
from benchmarks.load.round import LoadError, Result, Round

_RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
_REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


@contextlib.asynccontextmanager
async def _server(answer: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                if not answer:
                    writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _run(answer: bytes, requests: int = 40, least: int = 4) -> Result:
    async def measure() -> Result:
        async with _server(answer) as port:
            task = Round(port, (_REQUEST,) * requests, False, 30.0, least=least, connections=4)
            return await carry_out(task)

    return asyncio.run(measure())


def test_every_right_answer_counts_once() -> None:
    result = _run(_RIGHT)
    assert result.answers == 40
    assert result.rate == pytest.approx(40 / result.seconds)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_RIGHT.replace(b"200 OK", b"503 Service Unavailable"), "HTTP/1.1 200 was wanted.*503"),
        (_RIGHT.replace(b"Content-Length: 4", b"Connection: close"), "without Content-Length"),
        (_RIGHT.replace(b"4\r\n\r\nfine", b"2\r\n\r\nno"), "4 bytes or more"),
        (b"", "closed a connection"),
    ],
)
def test_a_wrong_answer_spoils_the_round(answer: bytes, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        _run(answer)
