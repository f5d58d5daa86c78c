"""The WebSockets, and the frames of clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import WebSocket
from servicekit import stopping
from servicekit.codes import Code
from starlette.websockets import WebSocketDisconnect

RESTART, TRY_LATER, TOO_BIG, SESSION_ENDED = 1012, 1013, 1009, 4401
Frame = dict[str, Any]


class BadFrameError(Exception):
    """A client's frame that is answered with an error frame."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.answer = {"type": "error", "code": code, "detail": detail}


def parse(data: str | bytes) -> Frame:
    """Return a client's frame. Raises BadFrameError."""
    if isinstance(data, bytes):
        raise BadFrameError(Code.BINARY_FRAME, "frames are text: send JSON")
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadFrameError(Code.INVALID_JSON, f"not valid JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrameError(Code.INVALID_FRAME, 'a frame is a JSON object with a text "type"')
    if (kind := frame["type"][:40]) not in ("ping", "message", "typing"):
        known = "message, typing and ping are known"
        raise BadFrameError(Code.UNKNOWN_TYPE, f"there is no frame type {kind!r}: {known}")
    if kind != "ping" and (type(frame.get("channel_id")) is not int or not 0 < frame["channel_id"] < 2**63):
        raise BadFrameError(Code.INVALID_FRAME, '"channel_id" must be the number of a channel')
    return frame


def pong(ping: Frame) -> Frame:
    """Return the answer to a ping. Raises BadFrameError."""
    payload = ping.get("payload")
    sent_at = payload.get("sent_at_ms") if isinstance(payload, dict) else None
    if type(sent_at) not in (int, float):
        raise BadFrameError(Code.INVALID_FRAME, 'a ping carries {"payload": {"sent_at_ms": number}}')
    return {"type": "pong", "timestamp": datetime.now(UTC), "payload": {"sent_at_ms": sent_at}}


class Socket:
    """One socket with a bounded queue of frames. A full queue closes it."""

    def __init__(self, websocket: WebSocket, queue_size: int) -> None:
        self._websocket = websocket
        self._frames: asyncio.Queue[str] = asyncio.Queue(queue_size)
        self._closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def send(self, frame: Frame) -> None:
        """Queue one frame. Raises orjson.JSONEncodeError."""
        try:
            self._frames.put_nowait(orjson.dumps(frame).decode())
        except asyncio.QueueFull:
            self.close(TRY_LATER)

    def close(self, code: int) -> None:
        """Close the socket soon."""
        if not self._closing.done():
            self._closing.set_result(code)

    async def run(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Handle incoming frames and send queued ones, until the socket is closed."""
        tasks = [asyncio.create_task(self._read(handle)), asyncio.create_task(self._write())]
        waited: list[asyncio.Future[Any]] = [*tasks, self._closing]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        results = await stopping.end(tasks)
        if self._closing.done():
            with contextlib.suppress(Exception):  # the client may be gone, or not read
                async with asyncio.timeout(2.0):
                    await self._websocket.close(self._closing.result())
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result

    async def _read(self, handle: Callable[[str | bytes], Awaitable[None]]) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            await handle(text if text is not None else message.get("bytes") or b"")

    async def _write(self) -> None:
        with contextlib.suppress(Exception):  # the connection was closed, which `_read` notices
            while True:
                await self._websocket.send_text(await self._frames.get())


class Hub(defaultdict[int, set[Socket]]):
    """All sockets, by user."""

    def deliver(self, user_ids: Iterable[int], frame: Frame) -> None:
        """Send a frame to all sockets of these users. Raises orjson.JSONEncodeError."""
        for socket in [one for user_id in user_ids for one in self.get(user_id, ())]:
            socket.send(frame)

    async def close_all(self) -> None:
        """Close every socket, and wait until all are gone."""
        while left := [one for several in self.values() for one in several]:
            for socket in left:
                socket.close(RESTART)
            await asyncio.sleep(0.01)
