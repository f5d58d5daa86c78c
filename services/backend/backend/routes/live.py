"""The WebSocket route."""

from __future__ import annotations

import asyncio
import logging
import time

import orjson
from fastapi import APIRouter, WebSocket
from servicekit.codes import Code
from servicekit.log.faults import client_fault
from servicekit.origins import is_own
from servicekit.tokens import Verified

from backend.deps import Services, services_of
from backend.errors import ApiError, ForeignOrigin, InvalidSince, NotYourSocket, Unauthenticated
from backend.live import frames
from backend.live.frames import BadFrameError, Frame
from backend.live.hub import MESSAGE_TOO_BIG, SESSION_ENDED, TRY_AGAIN_LATER, Socket
from backend.live.resuming import resume
from backend.queries import channels as sql
from backend.refusing import refusal_response
from backend.schemas import MAX_ID

log = logging.getLogger(__name__)
router = APIRouter()


@router.websocket("/ws/{user_id}")
async def live(websocket: WebSocket, user_id: str) -> None:
    """Serve the socket of the session's own user, until it is closed."""
    services = services_of(websocket)
    try:
        session = await _admit(websocket, user_id, services)
        since = _since(websocket)
    except ApiError as error:
        client_fault(log, "socket_refused", "refused a socket: %s", error.detail, code=error.code)
        await websocket.send_denial_response(refusal_response(error))
        return
    await websocket.accept()
    socket = Socket(websocket, int(user_id), session.session_id, services.settings.socket_queue)
    left_s = max(0.0, session.expires_at - time.time())
    expiry = asyncio.get_running_loop().call_later(left_s, socket.close, SESSION_ENDED)
    try:
        if since is None:
            services.hub.add(socket)
        elif not await _resumed(socket, since, services):
            await websocket.close(TRY_AGAIN_LATER, "the events could not be read: try again")
            return
        await socket.run(_FrameHandler(services, socket).handle)
    finally:
        services.hub.remove(socket)
        expiry.cancel()


def _since(websocket: WebSocket) -> int | None:
    """Return the event after which the socket resumes, if it does. Raises InvalidSince."""
    text = websocket.query_params.get("since")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID):
        raise InvalidSince
    return int(text)


async def _resumed(socket: Socket, since: int, services: Services) -> bool:
    try:
        await resume(socket, since, services.log, services.hub, services.database)
    except (ApiError, TimeoutError) as error:
        log.info("a socket could not resume: %s", error)
        return False
    return True


async def _admit(websocket: WebSocket, user_id: str, services: Services) -> Verified:
    """Return the session. Raises the ApiError to refuse the handshake with."""
    origin = websocket.headers.get("origin")
    # Browsers always send Origin, and send the cookie for any page. Other clients send no Origin.
    if origin is not None and not is_own(origin, websocket.headers.get("host"), services.settings.allowed_origins):
        raise ForeignOrigin
    session = services.sessions.verify(websocket)
    if user_id != str(session.identity.user_id):
        raise NotYourSocket
    await services.users.confirm(session, refresh=True)
    if session.expires_at <= time.time():
        raise Unauthenticated
    return session


class _FrameHandler:
    """Handles the frames of one client."""

    def __init__(self, services: Services, socket: Socket) -> None:
        self._services = services
        self._socket = socket
        self._max_bytes = services.settings.frame_max_bytes

    async def handle(self, data: str | bytes) -> None:
        """Handle one frame: answer an invalid one with an error frame, close the socket after one that is too large."""
        if frames.is_oversized(data, self._max_bytes):
            user_id, message = self._socket.user_id, "closed a socket whose client sent a frame that is too large"
            client_fault(log, "oversized_frame", message, user_id=user_id, max_bytes=self._max_bytes)
            self._socket.close(MESSAGE_TOO_BIG, f"a frame may have {self._max_bytes} bytes at most")
            return
        try:
            if isinstance(data, bytes):
                raise BadFrameError(Code.BINARY_FRAME, "frames are text: send JSON")
            await self._act(frames.parse(data))
        except BadFrameError as error:
            user_id = self._socket.user_id
            client_fault(log, "bad_frame", "refused a bad frame: %s", error, code=error.code, user_id=user_id)
            await self._answer(frames.error(error.code, str(error)))
        except ApiError as error:
            await self._answer(frames.error(error.code, error.detail))

    async def _act(self, frame: Frame) -> None:
        match frame["type"]:
            case "ping":
                await self._answer(frames.pong(frame))
            case "message":
                await self._relay(frame)
            case "typing":
                await self._relay({**frame, "user_id": self._socket.user_id})
            case other:
                raise BadFrameError(
                    Code.UNKNOWN_TYPE, f"there is no frame type {other[:40]!r}: message, typing and ping are known"
                )

    async def _relay(self, frame: Frame) -> None:
        channel_id = frames.channel_of(frame)
        member = {"channel_id": channel_id, "user_id": self._socket.user_id}
        sender = await self._services.database.fetch_one(sql.SENDER, member)
        if sender is None:
            raise BadFrameError(Code.NOT_A_MEMBER, f"you are not a member of channel {channel_id}")
        try:
            self._services.events.emit(channel_id, frames.relayed(frame, self._socket.user_id, sender))
        except orjson.JSONEncodeError:
            # orjson parses deeper nesting than it writes.
            raise BadFrameError(Code.INVALID_FRAME, "the frame is nested too deeply to be passed on") from None

    async def _answer(self, frame: Frame) -> None:
        await self._socket.reply(orjson.dumps(frame).decode())
