"""The ASGI application of one sink."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from servicekit import inside, lifeline
from servicekit.codes import Code
from servicekit.context import accept_request_id, request_id
from servicekit.facts import INTERNAL_HEADER, REQUEST_ID_HEADER
from servicekit.inside import InternalSecret
from servicekit.log.setup import configure_logging
from servicekit.problems import CONTENT_TYPE
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from log_sink import api, pages, tail
from log_sink.responses import problem_response
from log_sink.settings import LogSinkSettings
from log_sink.sink import Sink

logger = logging.getLogger(__name__)

_SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src 'self' {pages.GUARD_SOURCE}; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_CODES = {404: Code.NO_SUCH_ADDRESS, 405: Code.METHOD_NOT_ALLOWED}


class Envelope:
    """Sets the request id, adds it and the security headers to every response.

    Refuses requests that did not come through Caddy.
    """

    def __init__(self, app: ASGIApp, secret: InternalSecret) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope)
        current = accept_request_id(given.get(REQUEST_ID_HEADER))
        request_id.set(current)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                headers[REQUEST_ID_HEADER] = current
            await send(message)

        shown = given.get(INTERNAL_HEADER)
        if self._secret.admits(scope["path"], None if shown is None else shown.encode("latin-1")):
            await self._app(scope, receive, send_with_headers)
        else:
            await Response(orjson.dumps(inside.refusal()), inside.REFUSED, media_type=CONTENT_TYPE)(
                scope, receive, send_with_headers
            )


async def _http_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = _CODES.get(error.status_code, Code.REFUSED)
    details = {
        404: f"There is nothing at {request.url.path[:200]}; the recorder's page is at /logs/.",
        405: f"{request.method} is not possible here.",
    }
    detail = details.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers.setdefault("Allow", "GET, HEAD")
    return problem_response(code, detail, status=error.status_code, headers=headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed unexpectedly", request.method, request.url.path, exc_info=error)
    return problem_response(Code.INTERNAL_ERROR, "The log-sink failed on this request; its log has the cause.")


def create_app() -> ASGIApp:
    """Return the application, with settings from the environment."""
    lifeline.end_with_parent()
    settings = LogSinkSettings()  # type: ignore[call-arg]
    configure_logging("log-sink", settings.log_level)
    # Outermost: the framework answers unexpected errors outside of its own middleware.
    return Envelope(build(settings), settings.internal_secret())


def build(settings: LogSinkSettings) -> Starlette:
    """Return the application without the envelope: the routes."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sink = Sink(settings)
        await sink.start()
        app.state.sink = sink
        beating = asyncio.create_task(lifeline.beat_from_loop())
        try:
            yield
        finally:
            beating.cancel()
            await sink.stop()

    return Starlette(
        routes=[
            Route("/logs/entries", api.entries),
            Route("/logs/stats", api.stats),
            Route("/logs/stream", tail.stream),
            Route("/logs/health", api.ready),
            Route("/logs/health/live", api.live),
            Route("/ingest", api.ingest, methods=["POST"]),
            *pages.routes,
        ],
        exception_handlers={HTTPException: _http_problem, Exception: _unexpected},
        lifespan=lifespan,
    )
