"""One round: hands out requests, counts answers, ends in time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import cast

from benchmarks.load.round import LoadError, Result, Round

_SILENCE_S = 30.0


class Run:
    """The state that all connections of a round share."""

    def __init__(self, task: Round) -> None:
        self.task = task
        self._loop = asyncio.get_running_loop()
        self._requests: Iterator[bytes] = itertools.cycle(task.requests) if task.repeat else iter(task.requests)
        self._deadline = 0.0
        self._ended_at = 0.0
        self._active = 0
        self._answers = 0
        self._over: asyncio.Future[None] = self._loop.create_future()

    @property
    def over(self) -> bool:
        """Whether the round has ended, well or not: what happens to a connection from now on does not matter."""
        return self._over.done()

    async def measure(self, connections: list[Connection]) -> Result:
        """Let every connection, all of them open, send and receive until the round ends. Raises LoadError."""
        begun = self._loop.time()
        self._deadline = begun + self.task.seconds
        self._active = len(connections)
        for connection in connections:
            connection.send_next()
        try:
            async with asyncio.timeout(self.task.seconds + _SILENCE_S):
                await self._over
        except TimeoutError:
            raise LoadError(f"an answer was waited for {_SILENCE_S:g} s in vain") from None
        return Result(self._answers, self._ended_at - begun)

    def next_request(self) -> bytes | None:
        """Return what to send next; None when this connection has done its part."""
        now = self._loop.time()
        request = next(self._requests, None) if now < self._deadline else None
        if request is None:
            self._active -= 1
            if not self._active and not self._over.done():
                self._ended_at = now
                self._over.set_result(None)
        return request

    def answered(self) -> None:
        """Count a correct answer."""
        self._answers += 1

    def failed(self, reason: str) -> None:
        """End the round: nothing of it counts."""
        if not self._over.done():
            self._over.set_exception(LoadError(reason))


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    transport: asyncio.Transport

    def __init__(self, run: Run) -> None:
        self.run = run
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """A server that hangs up in the middle of a round spoils it."""
        if not self.run.over:
            self.run.failed(f"the server closed a connection: {error or 'end of file'}")

    def send_next(self) -> None:
        """Send the next request, if there is one."""
        request = self.run.next_request()
        if request is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take what came; go on once an answer is whole."""
        self._received += data
        try:
            size = self.answer_size(self._received)
        except LoadError as error:
            self.run.failed(str(error))
            self.transport.abort()
            return
        if size is not None and len(self._received) >= size:
            del self._received[:size]
            self.run.answered()
            self.send_next()

    def answer_size(self, received: bytearray) -> int | None:
        """Return how many bytes the answer at the beginning of `received` has, None as long as that cannot be told.

        Raises LoadError for an answer that is not correct.
        """
        raise NotImplementedError
