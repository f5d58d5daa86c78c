"""Many WebSockets in a process of their own, which count the frames that they get."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import cast

import uvloop

from benchmarks.load.process import OwnProcess
from benchmarks.load.round import LoadError

_TEXT = 1
_WAIT_S = 60.0
_STILL_S = 0.5
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Burst:
    """Sends `requests` over as many connections as there are senders, and waits until every socket got a frame each."""

    requests: tuple[bytes, ...]
    senders: int


class Listeners(OwnProcess):
    """Sockets that stay open. `handshakes` has the request that opens each."""

    def __init__(self, port: int, handshakes: list[bytes]) -> None:
        super().__init__("listeners", _serve, port, handshakes)
        self.answer(float)

    def run(self, burst: Burst) -> float:
        """Carry out a burst and return its seconds. Raises LoadError."""
        return self.ask(burst, float)


def _serve(pipe: Pipe, port: int, handshakes: list[bytes]) -> None:
    uvloop.run(_listen(pipe, port, handshakes))


async def _listen(pipe: Pipe, port: int, handshakes: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    counter = Counter()
    try:
        for asking in handshakes:
            _, socket = await loop.create_connection(partial(Socket, asking, counter), "127.0.0.1", port)
            await asyncio.wait_for(socket.opened, _WAIT_S)
        pipe.send(0.0)
        while True:
            burst: Burst = await loop.run_in_executor(None, pipe.recv)
            await counter.still()
            pipe.send(await counter.measure(burst, port, len(handshakes)))
    except EOFError:
        return
    except (LoadError, OSError, TimeoutError) as error:
        pipe.send(str(error) or type(error).__name__)


class Counter:
    """Counts the frames of all sockets."""

    def __init__(self) -> None:
        self.frames = 0
        self._wanted = 0
        self._reached: asyncio.Future[None] | None = None

    def add(self, frames: int) -> None:
        """Count frames that came."""
        self.frames += frames
        if self._reached is not None and self.frames >= self._wanted and not self._reached.done():
            self._reached.set_result(None)

    async def still(self) -> None:
        """Wait until no more frames come, such as those of the sockets' opening."""
        seen = -1
        while seen != self.frames:
            seen = self.frames
            await asyncio.sleep(_STILL_S)

    async def measure(self, burst: Burst, port: int, sockets: int) -> float:
        """Send the requests and return after how many seconds all frames had come."""
        self._wanted = self.frames + len(burst.requests) * sockets
        self._reached = asyncio.get_running_loop().create_future()
        waiting = list(burst.requests)
        begun = time.perf_counter()
        await asyncio.gather(*(_send(waiting, port) for _ in range(burst.senders)))
        try:
            await asyncio.wait_for(self._reached, _WAIT_S)
        except TimeoutError:
            raise LoadError(f"{self._wanted - self.frames} frames did not come") from None
        return time.perf_counter() - begun


async def _send(waiting: list[bytes], port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        writer.write(waiting.pop())
        head = await reader.readuntil(_END)
        if not head.startswith(b"HTTP/1.1 201"):
            raise LoadError(f"a message was answered with {head[:200].decode('utf-8', 'replace')}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()


class Socket(asyncio.Protocol):
    """One WebSocket, of whose frames only the lengths are read."""

    def __init__(self, handshake: bytes, counter: Counter) -> None:
        self._handshake = handshake
        self._counter = counter
        self._received = bytearray()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        cast(asyncio.Transport, transport).write(self._handshake)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits for the upgrade."""
        if not self.opened.done():
            self.opened.set_exception(LoadError(f"a socket was refused: {bytes(self._received[:300])!r}"))

    def data_received(self, data: bytes) -> None:
        """Count the frames that are whole."""
        self._received += data
        if not self.opened.done():
            end = self._received.find(_END)
            if end < 0 or not self._received.startswith(b"HTTP/1.1 101"):
                return
            del self._received[: end + len(_END)]
            self.opened.set_result(None)
        frames, start = 0, 0
        while (size := _frame_size(self._received, start)) is not None and start + size <= len(self._received):
            frames += self._received[start] & 0x0F == _TEXT
            start += size
        del self._received[:start]
        if frames:
            self._counter.add(frames)


def _frame_size(data: bytearray, start: int) -> int | None:
    """Return the size of the frame at `start` of a server, None if its head is not whole."""
    if len(data) < start + 2:
        return None
    length = data[start + 1] & 0x7F
    if length < 126:
        return 2 + length
    extra = 2 if length == 126 else 8
    if len(data) < start + 2 + extra:
        return None
    return 2 + extra + int.from_bytes(data[start + 2 : start + 2 + extra], "big")


def handshake(user_id: int, headers: str) -> bytes:
    """Return the request that opens the socket of a user."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws/{user_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
    ).encode()
