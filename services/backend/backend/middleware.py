"""What surrounds every request: its id, the log entry for what was not foreseen, and the limit of its body."""

from __future__ import annotations

import logging

from servicekit.context import accept_request_id, request_id
from servicekit.facts import REQUEST_ID_HEADER
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import BodyTooLarge, refusal_response

log = logging.getLogger(__name__)


class RequestContext:
    """Takes over the request id or makes one, puts it on the answer, and logs what nothing else has caught.

    Outermost of all: the answer to an unforeseen error is sent further in (`errors.install`) before it gets here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        own_id = accept_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        token = request_id.set(own_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = own_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("unforeseen error", extra={"fields": {"method": scope.get("method"), "path": scope["path"]}})
        finally:
            request_id.reset(token)


_DRAIN_MAX_BYTES = 4 * 1024 * 1024


async def _drain(receive: Receive, limit: int) -> None:
    """Read a request body to its end, or `limit` bytes of it, keeping nothing."""
    while limit > 0:
        message = await receive()
        limit -= len(message.get("body", b"")) or 1
        if message["type"] != "http.request" or not message.get("more_body"):
            return


class BodyLimit:
    """Refuses request bodies of more than `max_bytes` with 413.

    What was announced is read and thrown away first, within bounds: a proxy that is still sending when the answer comes
    and the connection closes makes a 502 of it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal():
            if int(length) > self._max_bytes:
                await _drain(receive, _DRAIN_MAX_BYTES)
                await refusal_response(BodyTooLarge())(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise BodyTooLarge
            return message

        await self._app(scope, receive_some, send)
