"""Middleware: request ids, the internal secret, logging of unexpected errors, cross-site requests, body limits."""

from __future__ import annotations

import logging
from collections.abc import Collection

from servicekit.context import accept_request_id, forwarded_for, request_id
from servicekit.facts import INTERNAL_HEADER, REQUEST_ID_HEADER
from servicekit.inside import InternalSecret
from servicekit.log.faults import client_fault, request_fault
from servicekit.origins import is_foreign
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import BodyTooLarge, ForeignOrigin
from backend.refusing import front_door_only, refusal_response

log = logging.getLogger(__name__)

_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_INTERNAL = INTERNAL_HEADER.lower().encode()
_COMMON_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _header(scope: Scope, name: bytes) -> str | None:
    """Return a request's header. `name` is in lower case."""
    for found, value in scope["headers"]:
        if found == name:
            text: str = value.decode("latin-1")
            return text
    return None


class RequestContext:
    """Adds the request id and the common headers to every response, and logs unexpected errors.

    Refuses requests that bypass Caddy: their request id and X-Forwarded-For cannot be trusted.

    This is the outermost layer. The response to an unexpected error was already sent by `refusing.install`.
    """

    def __init__(self, app: ASGIApp, secret: InternalSecret) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope.get("method") == "HEAD":
            # Handled like GET; the server omits the body.
            scope = {**scope, "method": "GET"}
        given = dict(scope["headers"])
        own_id = accept_request_id(given.get(_REQUEST_ID, b"").decode("latin-1"))
        token = request_id.set(own_id)
        forwarded_for.set(_header(scope, b"x-forwarded-for"))
        own_header = (_REQUEST_ID, own_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), *_COMMON_HEADERS, own_header]
            await send(message)

        try:
            if self._secret.admits(scope["path"], given.get(_INTERNAL)):
                await self._app(scope, receive, send_with_id)
            else:
                await front_door_only()(scope, receive, send_with_id)
        except Exception as error:
            request_fault(log, error, "unexpected error", method=scope.get("method"), path=scope["path"])
        finally:
            request_id.reset(token)


class CrossSiteGuard:
    """Refuses cross-site requests that could change something (CSRF), including logins.

    Requests with an Authorization header pass: browsers never add that header by themselves.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Collection[str]) -> None:
        self._app = app
        self._allowed = allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. The origin of a socket is checked by its route."""
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS and self._is_foreign(scope):
            origin = _header(scope, b"origin")
            message = "refused a cross-site request"
            client_fault(log, "foreign_origin", message, origin=origin, method=scope["method"], path=scope["path"])
            await refusal_response(ForeignOrigin())(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        if _header(scope, b"authorization") is not None:
            return False
        return is_foreign(
            _header(scope, b"origin"), _header(scope, b"sec-fetch-site"), _header(scope, b"host"), self._allowed
        )


_DRAIN_MAX_BYTES = 4 * 1024 * 1024


async def _drain(receive: Receive, limit: int) -> None:
    """Read and discard up to `limit` bytes of a request body."""
    while limit > 0:
        message = await receive()
        limit -= len(message.get("body", b"")) or 1
        if message["type"] != "http.request" or not message.get("more_body"):
            return


class BodyLimit:
    """Refuses request bodies of more than `max_bytes` with 413.

    The rest of the body is read and discarded first, up to a limit: if the connection closes while Caddy is still
    sending, Caddy answers 502.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = _header(scope, b"content-length")
        if length is not None and length.isdecimal():
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
                await _drain(receive, _DRAIN_MAX_BYTES)
                raise BodyTooLarge
            return message

        await self._app(scope, receive_some, send)
