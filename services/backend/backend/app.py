"""The application of one server process: wiring only."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import redis.asyncio as aioredis
from fastapi import FastAPI
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from servicekit import lifeline
from servicekit.facts import VERSION
from servicekit.log.forwarder import Forwarder
from servicekit.log.setup import configure_logging
from servicekit.stopping import on_stop
from starlette.types import ASGIApp

from backend import errors, migrations, openapi
from backend.accounts import Users
from backend.counters import REDIS_S
from backend.database import Database
from backend.deps import Services
from backend.live.events import EventBus
from backend.live.hub import COME_AGAIN, Hub
from backend.middleware import BodyLimit, OwnPages, RequestContext
from backend.passwords import Passwords
from backend.readiness import Readiness
from backend.routes import account, auth, channels, health, invites, live, messages
from backend.sessions import Sessions
from backend.settings import CLAIM_VARIABLE, SERVICE, BackendSettings, load
from backend.throttle import Throttle

log = logging.getLogger(__name__)

_ROUTES = (messages, channels, auth, account, invites, health, live)
_YOUNG_OBJECTS = 10_000
"""How many new objects may be alive before cycles are looked for among them; Python's own 700 is a request or two."""


def create_app() -> ASGIApp:
    """Return what a server process runs, with settings from the environment; logging is configured too."""
    lifeline.end_with_parent()
    settings = load()
    forwarder = configure_logging(SERVICE, settings.log_level, settings.log_forwarding())
    return RequestContext(build(settings, forwarder), settings.internal_secret())


def build(settings: BackendSettings, forwarder: Forwarder | None = None) -> FastAPI:
    """Return the application for `settings`; connects to nothing before it is started."""
    app = FastAPI(
        title="Plumbline backend",
        version=VERSION,
        summary="Users, channels, messages and live events.",
        lifespan=lambda app: _lifespan(app, settings, forwarder),
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        routes=[route for module in _ROUTES for route in module.router.routes],
    )
    errors.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.body_max_bytes)
    app.add_middleware(OwnPages, allowed_origins=settings.allowed_origins)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: BackendSettings, forwarder: Forwarder | None) -> AsyncIterator[None]:
    database = Database(settings.conninfo(SERVICE), settings.pool_size)
    redis, counting = _redis(settings, 1.0), _redis(settings, REDIS_S)
    hub, passwords = Hub(), Passwords()
    users = Users(database, hub)
    readiness = Readiness(database, migrations.head())
    claim = os.environ.get(CLAIM_VARIABLE)
    await database.open()
    async with EventBus(redis, database, hub).running() as events:
        app.state.services = Services(
            settings=settings,
            database=database,
            hub=hub,
            events=events,
            sessions=Sessions(settings.token_secret(), settings.session_ttl_s, secure=settings.cookie_secure),
            users=users,
            passwords=passwords,
            throttle=Throttle(counting, settings),
            readiness=readiness,
        )
        on_stop(functools.partial(hub.end_all, COME_AGAIN))
        # What is here now stays: looking through all of it again and again would be a tax on every request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        beating = asyncio.create_task(lifeline.beat_from_loop())
        watch = asyncio.create_task(users.watch_sockets())
        announcement = asyncio.create_task(readiness.announce(settings.stack_id, Path(claim) if claim else None))
        try:
            yield
        finally:
            announcement.cancel()
            beating.cancel()
            watch.cancel()
    passwords.close()
    await redis.aclose()
    await counting.aclose()
    await database.close()
    if forwarder is not None:
        # Server processes end without running exit handlers.
        await asyncio.to_thread(forwarder.close, 1.0)


def _redis(settings: BackendSettings, timeout_s: float) -> aioredis.Redis:
    return aioredis.Redis.from_url(
        settings.redis_url,
        password=settings.redis_password(),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # Once, on a new connection: an idle one may have ended with a Redis that is back since.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        client_name=SERVICE,
    )
