"""The WebSockets of this process, and how each is written to without one holding up another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import WebSocket
from servicekit import stopping
from servicekit.log.faults import client_fault
from starlette.websockets import WebSocketDisconnect

log = logging.getLogger(__name__)

COME_AGAIN = 1012
"""Service restart: the client comes again, and finds a process that stays."""
SLOW = 1013
TOO_BIG = 1009
"""Message too big: RFC 6455's word for it."""
ENDED = 4401
"""The session ended: it expired, or its user is gone."""
_NO_CODE = 1005
_CLOSE_S = 2.0


class Socket:
    """One accepted WebSocket. Frames wait in a bounded queue; whoever does not read is closed, not waited for."""

    def __init__(self, websocket: WebSocket, user_id: int, queue_size: int) -> None:
        self.user_id = user_id
        self._websocket = websocket
        self._frames: asyncio.Queue[str] = asyncio.Queue(queue_size)
        self._ending: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def send(self, text: str) -> None:
        """Queue one frame. Never waits: a full queue closes the socket."""
        try:
            self._frames.put_nowait(text)
        except asyncio.QueueFull:
            if not self._ending.done():
                message = "a socket does not read what it is sent: closed"
                client_fault(log, "slow_socket", message, user_id=self.user_id)
            self.end(SLOW)

    async def reply(self, text: str) -> None:
        """Send one frame from within `handle`: who asks and does not read the answers is not read any further."""
        try:
            await self._websocket.send_text(text)
        except Exception:
            # Whatever a server raises for a peer that has just gone: the reader sees the end too.
            log.debug("a socket went away while it was written to", exc_info=True)

    def end(self, code: int, reason: str = "") -> None:
        """Close the socket with `code`, as soon as it can be."""
        if not self._ending.done():
            self._ending.set_result((code, reason))

    async def run(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Hand each frame that comes in to `handle`, send what is queued; return when the socket has ended."""
        tasks = [asyncio.create_task(self._read(handle)), asyncio.create_task(self._write())]
        try:
            waited: list[asyncio.Future[Any]] = [*tasks, self._ending]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            results = await stopping.end(tasks)
        if self._ending.done():
            # The other side may be the one that does not read: it gets its close frame if there is room for it.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await self._websocket.close(*self._ending.result())
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result

    async def _read(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code") == _NO_CODE:
                    # The server's own limit (16 MiB) ends a socket like this. To a client that has closed it itself
                    # nothing more is sent.
                    self.end(TOO_BIG, "the frame is too large")
                return
            text = message.get("text")
            await handle(text if text is not None else message.get("bytes") or b"")

    async def _write(self) -> None:
        while True:
            await self.reply(await self._frames.get())


class Hub:
    """Who is connected to this process."""

    def __init__(self) -> None:
        self._sockets: dict[int, set[Socket]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._ended_with: int | None = None

    def add(self, socket: Socket) -> None:
        """Let `socket` receive its user's frames."""
        self._sockets.setdefault(socket.user_id, set()).add(socket)
        self._empty.clear()
        if self._ended_with is not None:
            socket.end(self._ended_with)

    def remove(self, socket: Socket) -> None:
        """Forget `socket`."""
        sockets = self._sockets.get(socket.user_id)
        if sockets is not None:
            sockets.discard(socket)
            if not sockets:
                del self._sockets[socket.user_id]
        if not self._sockets:
            self._empty.set()

    def users(self) -> list[int]:
        """Return the users that have a socket here."""
        return list(self._sockets)

    def deliver(self, user_ids: Iterable[int], text: str) -> None:
        """Queue a frame for all sockets of these users."""
        for user_id in user_ids:
            for socket in tuple(self._sockets.get(user_id, ())):
                socket.send(text)

    def end_users(self, user_ids: Iterable[int], code: int) -> None:
        """Close all sockets of these users with `code`."""
        for user_id in user_ids:
            for socket in tuple(self._sockets.get(user_id, ())):
                socket.end(code)

    async def end_all(self, code: int) -> None:
        """Close every socket with `code`, those that come meanwhile too; return when none is left."""
        self._ended_with = code
        for sockets in tuple(self._sockets.values()):
            for socket in tuple(sockets):
                socket.end(code)
        await self._empty.wait()
