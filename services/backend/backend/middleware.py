"""What surrounds every request: its id, and the log entry for what was not foreseen."""

from __future__ import annotations

import logging

from servicekit.context import accept_request_id, request_id
from servicekit.facts import REQUEST_ID_HEADER
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
