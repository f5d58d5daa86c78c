"""The WebSockets of this process. Each has its own queue, so that a slow client does not delay others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from fastapi import WebSocket
from servicekit import stopping
from servicekit.log.faults import client_fault
from starlette.websockets import WebSocketDisconnect

log = logging.getLogger(__name__)

SERVICE_RESTART = 1012
"""The client shall reconnect."""
TRY_AGAIN_LATER = 1013
MESSAGE_TOO_BIG = 1009
SESSION_ENDED = 4401
"""The session has expired or was ended."""
_NO_CODE = 1005
_CLOSE_S = 2.0


class Socket:
    """One accepted WebSocket with a bounded queue of frames. A full queue closes it."""

    def __init__(self, websocket: WebSocket, user_id: int, session_id: str, queue_size: int) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.resumes = False
        """Whether stored events come from the log alone, in its order and with their ids."""
        self.opened_at = time.monotonic()
        self._websocket = websocket
        self._frames: asyncio.Queue[str] = asyncio.Queue(queue_size)
        self._close_frame: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def send(self, text: str) -> None:
        """Queue one frame. Never waits: a full queue closes the socket."""
        try:
            self._frames.put_nowait(text)
        except asyncio.QueueFull:
            if not self._close_frame.done():
                message = "closed a socket whose client does not read"
                client_fault(log, "slow_socket", message, user_id=self.user_id)
            self.close(TRY_AGAIN_LATER)

    async def reply(self, text: str) -> None:
        """Send one frame at once, from within `handle`: a client that does not read is not read from either."""
        try:
            await self._websocket.send_text(text)
        except Exception:
            # Servers raise different errors for a closed connection; `_read` sees the end, too.
            log.debug("a socket was closed during a write", exc_info=True)

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket with `code`, as soon as it can be."""
        if not self._close_frame.done():
            self._close_frame.set_result((code, reason))

    async def run(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Pass incoming frames to `handle` and send queued ones, until the socket is closed."""
        tasks = [asyncio.create_task(self._read(handle)), asyncio.create_task(self._write())]
        try:
            waited: list[asyncio.Future[Any]] = [*tasks, self._close_frame]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            results = await stopping.end(tasks)
        if self._close_frame.done():
            # A client that does not read may not get the close frame: do not wait long.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await self._websocket.close(*self._close_frame.result())
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result

    async def _read(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code") == _NO_CODE:
                    # Granian reports its own frame limit (16 MiB) like this. After a close by the client, nothing is
                    # sent.
                    self.close(MESSAGE_TOO_BIG, "the frame is too large")
                return
            text = message.get("text")
            await handle(text if text is not None else message.get("bytes") or b"")

    async def _write(self) -> None:
        while True:
            await self.reply(await self._frames.get())


class Hub:
    """All sockets of this process, by user."""

    def __init__(self) -> None:
        self._sockets: dict[int, set[Socket]] = {}
        self.resuming = 0
        """How many sockets resume."""
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing_with: int | None = None

    def add(self, socket: Socket) -> None:
        """Deliver its user's frames to `socket` from now on."""
        self._sockets.setdefault(socket.user_id, set()).add(socket)
        self.resuming += socket.resumes
        self._empty.clear()
        if self._closing_with is not None:
            socket.close(self._closing_with)

    def remove(self, socket: Socket) -> None:
        """Remove `socket`."""
        sockets = self._sockets.get(socket.user_id)
        if sockets is not None and socket in sockets:
            sockets.remove(socket)
            self.resuming -= socket.resumes
            if not sockets:
                del self._sockets[socket.user_id]
        if not self._sockets:
            self._empty.set()

    def users(self) -> list[int]:
        """Return the ids of users with a socket in this process."""
        return list(self._sockets)

    def resuming_users(self) -> list[int]:
        """Return the ids of users with a socket that resumes."""
        return [user_id for user_id, sockets in self._sockets.items() if any(socket.resumes for socket in sockets)]

    def deliver(self, user_ids: Iterable[int], text: str, *, resumes: bool | None = None) -> None:
        """Queue a frame for all sockets of these users, or those alone that resume, or do not."""
        for user_id in user_ids:
            for socket in tuple(self._sockets.get(user_id, ())):
                if resumes is None or socket.resumes is resumes:
                    socket.send(text)

    def close_stale(self, noticed_at: Mapping[int, float]) -> int:
        """Close the sockets of these users that do not resume and are older than the time given for the user."""
        stale = [
            socket
            for user_id, at in noticed_at.items()
            for socket in self._sockets.get(user_id, ())
            if not socket.resumes and socket.opened_at <= at
        ]
        for socket in stale:
            socket.close(SERVICE_RESTART, "events may have been missed: read the lists again")
        return len(stale)

    def sessions(self, user_ids: Iterable[int] | None = None) -> set[str]:
        """Return the ids of sessions with a socket in this process, of these users or of all."""
        users = self._sockets if user_ids is None else user_ids
        return {socket.session_id for user_id in users for socket in self._sockets.get(user_id, ())}

    def close_sessions(self, session_ids: Collection[str], code: int) -> None:
        """Close all sockets of these sessions with `code`."""
        if session_ids:
            for socket in [one for sockets in self._sockets.values() for one in sockets]:
                if socket.session_id in session_ids:
                    socket.close(code)

    async def close_all(self, code: int) -> None:
        """Close every socket with `code`, also those added meanwhile; return when all are gone."""
        self._closing_with = code
        for sockets in tuple(self._sockets.values()):
            for socket in tuple(sockets):
                socket.close(code)
        await self._empty.wait()
