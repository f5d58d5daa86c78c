"""One round of load over HTTP/1.1, of which only status, length and body are read."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from typing import cast

from benchmarks.load.round import MARK, LoadError, Result, Round, numbers

_SILENCE_S = 30.0
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_SHOWN = 600
_REFUSALS = (b"HTTP/1.1 429", b"HTTP/1.1 503")


class Run:
    """Hands out requests, counts answers, ends in time."""

    def __init__(self, task: Round) -> None:
        self.task = task
        self._requests: Iterator[bytes] = itertools.cycle(task.requests)
        self._numbers = numbers()
        self._is_numbered = any(MARK in request for request in task.requests)
        self._deadline = math.inf
        self._ended_at = 0.0
        self._active = 0
        self._answers = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether the round has ended; what happens to a connection afterwards does not matter."""
        return self._over.done()

    async def measure(self, connections: list[Connection]) -> Result:
        """Let every connection, all of them open, send and receive until the round ends. Raises LoadError."""
        begun = time.perf_counter()
        self._active = len(connections)
        for connection in connections:
            connection.send_next()
        # Set after the first requests: on a busy machine a short round could otherwise end without any.
        self._deadline = begun + self.task.seconds
        try:
            async with asyncio.timeout(self.task.seconds + _SILENCE_S):
                await self._over
        except TimeoutError:
            raise LoadError(f"no answer came for {_SILENCE_S:g} s") from None
        return Result(self._answers, self._ended_at - begun)

    def next_request(self) -> bytes | None:
        """Return what to send next; None when the time is over."""
        now = time.perf_counter()
        if now < self._deadline:
            request = next(self._requests)
            return request.replace(MARK, next(self._numbers)) if self._is_numbered else request
        self._active -= 1
        if not self._active and not self._over.done():
            self._ended_at = now
            self._over.set_result(None)
        return None

    def answered(self) -> None:
        """Count a correct answer."""
        self._answers += 1

    def failed(self, reason: str) -> None:
        """End the round: nothing of it counts."""
        if not self._over.done():
            self._over.set_exception(LoadError(reason))


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    transport: asyncio.Transport

    def __init__(self, run: Run) -> None:
        self._run = run
        self._start = b"HTTP/1.1 %d" % run.task.status
        self._received = bytearray()
        self._size: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End the round: a server must not close a connection in the middle of it."""
        if not self._run.over:
            self._run.failed(f"the server closed a connection: {error or 'end of file'}")

    def send_next(self) -> None:
        """Send the next request, if there is one."""
        self._size = None
        request = self._run.next_request()
        if request is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take what came; send the next request once an answer is whole."""
        self._received += data
        try:
            self._size = self._size or self._answer_size()
        except LoadError as error:
            self._run.failed(str(error))
            self.transport.abort()
            return
        if self._size is not None and len(self._received) >= self._size:
            del self._received[: self._size]
            self._run.answered()
            self.send_next()

    def _answer_size(self) -> int | None:
        """Return how many bytes the answer has, None as long as its head is not whole. Raises LoadError."""
        end = self._received.find(_END)
        if end < 0:
            return None
        if not self._received.startswith(self._start):
            raise self._wrong(f"{self._start.decode()} was expected")
        head = bytes(self._received[: end + 2]).lower()
        at = head.find(_LENGTH)
        if at < 0:
            raise self._wrong("an answer without Content-Length")
        length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at + 2)])
        if length < self._run.task.least:
            raise self._wrong(f"a body of {self._run.task.least} bytes or more was expected")
        return end + len(_END) + length

    def _wrong(self, what: str) -> LoadError:
        if self._received.startswith(_REFUSALS):
            what = f"the service refused a request as too much with {self._run.task.connections} connections: {what}"
        return LoadError(f"{what}; the answer begins: {bytes(self._received[:_SHOWN]).decode('utf-8', 'replace')}")
