"""The one layer around all routes: request ids, the internal secret, cross-site requests, limits, common headers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from servicekit.context import accept_request_id, forwarded_for, request_id
from servicekit.facts import INTERNAL_HEADER, REQUEST_ID_HEADER
from servicekit.inside import InternalSecret
from servicekit.log.faults import client_fault, request_fault
from servicekit.origins import is_foreign
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import BodyTooLarge, ForeignOrigin
from backend.refusing import front_door_only, refusal_response

log = logging.getLogger(__name__)

_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_INTERNAL = INTERNAL_HEADER.lower().encode()
_COMMON_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DRAIN_MAX_BYTES = 4 * 1024 * 1024

Headers = Mapping[bytes, bytes]
"""A request's headers, by name in lower case. Of several with one name the first counts."""


class Envelope:
    """Adds the request id and the common headers to every answer, logs unexpected errors, and refuses:

    - requests that bypass Caddy: their request id and X-Forwarded-For cannot be trusted
    - cross-site requests that could change something (CSRF), including logins
    - bodies of more than `body_max_bytes`

    The response to an unexpected error was already sent by `refusing.install`. One layer instead of several, because
    each costs every request some microseconds.
    """

    def __init__(
        self, app: ASGIApp, secret: InternalSecret, *, allowed_origins: Collection[str], body_max_bytes: int
    ) -> None:
        self._app = app
        self._secret = secret
        self._allowed_origins = allowed_origins
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope.get("method") == "HEAD":
            # Handled like GET; the server omits the body.
            scope = {**scope, "method": "GET"}
        given: Headers = dict(reversed(scope["headers"]))
        own_id = accept_request_id(_text(given, _REQUEST_ID))
        token = request_id.set(own_id)
        forwarded_for.set(_text(given, b"x-forwarded-for"))
        own_header = (_REQUEST_ID, own_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] in _STARTS:
                message["headers"] = [*message.get("headers", ()), *_COMMON_HEADERS, own_header]
            await send(message)

        try:
            refusal = await self._refusal(scope, given, receive)
            if refusal is not None:
                await refusal(scope, receive, send_with_id)
            elif given.get(b"content-length", b"").isdigit() or scope["type"] != "http":
                await self._app(scope, receive, send_with_id)
            else:
                await self._app(scope, _limited(receive, self._body_max_bytes), send_with_id)
        except Exception as error:
            request_fault(log, error, "unexpected error", method=scope.get("method"), path=scope["path"])
        finally:
            request_id.reset(token)

    async def _refusal(self, scope: Scope, given: Headers, receive: Receive) -> Response | None:
        if not self._secret.admits(scope["path"], given.get(_INTERNAL)):
            return front_door_only()
        if scope["type"] != "http":
            return None  # The origin of a socket is checked by its route.
        if scope["method"] not in _SAFE_METHODS and self._is_foreign(given):
            message, origin = "refused a cross-site request", _text(given, b"origin")
            client_fault(log, "foreign_origin", message, origin=origin, method=scope["method"], path=scope["path"])
            return refusal_response(ForeignOrigin())
        length = given.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_max_bytes:
            await _drain(receive, _DRAIN_MAX_BYTES)
            return refusal_response(BodyTooLarge())
        return None

    def _is_foreign(self, given: Headers) -> bool:
        if b"authorization" in given:
            # Browsers never add that header by themselves.
            return False
        return is_foreign(
            _text(given, b"origin"), _text(given, b"sec-fetch-site"), _text(given, b"host"), self._allowed_origins
        )


def _text(given: Headers, name: bytes) -> str | None:
    found = given.get(name)
    return None if found is None else found.decode("latin-1")


def _limited(receive: Receive, max_bytes: int) -> Receive:
    """Return `receive` for a body of unknown length, which raises BodyTooLarge above `max_bytes`."""
    received = 0

    async def receive_some() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            await _drain(receive, _DRAIN_MAX_BYTES)
            raise BodyTooLarge
        return message

    return receive_some


async def _drain(receive: Receive, limit: int) -> None:
    """Read and discard up to `limit` bytes of a request body.

    If the connection closes while Caddy is still sending, Caddy answers 502.
    """
    while limit > 0:
        message = await receive()
        limit -= len(message.get("body", b"")) or 1
        if message["type"] != "http.request" or not message.get("more_body"):
            return
