"""Builds the application of one server process."""

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
from servicekit.database_password import async_connection_class
from servicekit.facts import VERSION
from servicekit.log.forwarder import Forwarder
from servicekit.log.setup import configure_logging
from servicekit.redis_password import RedisPassword
from servicekit.stopping import on_stop
from starlette.types import ASGIApp

from backend import migrations, openapi, refusing
from backend.accounts import Users
from backend.counters import REDIS_TIMEOUT_S
from backend.database import Database
from backend.deps import Services
from backend.live.events import EventBus
from backend.live.hub import SERVICE_RESTART, Hub
from backend.live.log import EventLog
from backend.live.tails import Tails
from backend.middleware import Envelope
from backend.passwords import Passwords
from backend.pruning import prune_forever
from backend.readiness import Readiness
from backend.routes import account, auth, channels, health, invites, live, members, messages
from backend.sessions import Sessions
from backend.settings import CLAIM_VARIABLE, SERVICE, BackendSettings, load
from backend.throttle import Throttle

log = logging.getLogger(__name__)

_ROUTES = (messages, channels, members, auth, account, invites, health, live)
_YOUNG_OBJECTS = 10_000
"""Garbage collector threshold of the youngest generation; Python's default, 700, is reached every request or two."""


def create_app() -> ASGIApp:
    """Return the application of a server process, with settings from the environment. Configures logging."""
    lifeline.end_with_parent()
    settings = load()
    forwarder = configure_logging(SERVICE, settings.log_level, settings.log_forwarding())
    return Envelope(
        build(settings, forwarder),
        settings.internal_secret(),
        allowed_origins=settings.allowed_origins,
        body_max_bytes=settings.body_max_bytes,
    )


def build(settings: BackendSettings, forwarder: Forwarder | None = None) -> FastAPI:
    """Return the application for `settings`. It opens no connection before its lifespan starts."""
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
    refusing.install(app)
    openapi.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: BackendSettings, forwarder: Forwarder | None) -> AsyncIterator[None]:
    database = Database(
        settings.conninfo(SERVICE), settings.pool_size, async_connection_class(settings.postgres_password_file)
    )
    redis, counting = _redis(settings, 1.0), _redis(settings, REDIS_TIMEOUT_S)
    hub, passwords = Hub(), Passwords()
    users, tails = Users(database, hub), Tails(redis)
    readiness = Readiness(database, migrations.head())
    claim = os.environ.get(CLAIM_VARIABLE)
    await database.open()
    events_log = EventLog(database, hub)
    async with EventBus(redis, database, hub, users, events_log).running() as events:
        app.state.services = Services(
            settings=settings,
            database=database,
            hub=hub,
            events=events,
            log=events_log,
            sessions=Sessions(settings.signing_keys(), settings.session_ttl_s, secure=settings.cookie_secure),
            users=users,
            tails=tails,
            passwords=passwords,
            throttle=Throttle(counting, settings),
            readiness=readiness,
        )
        on_stop(functools.partial(hub.close_all, SERVICE_RESTART))
        # These objects live as long as the process: exclude them from every later collection.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        heartbeat = asyncio.create_task(lifeline.beat_from_loop())
        following = events_log.run(events.is_connected)
        works = (users.watch_sockets(), tails.run(), prune_forever(database), following)
        background = [asyncio.create_task(work) for work in works]
        announcement = asyncio.create_task(readiness.announce(settings.stack_id, Path(claim) if claim else None))
        try:
            yield
        finally:
            announcement.cancel()
            heartbeat.cancel()
            for task in background:
                task.cancel()
    passwords.close()
    await redis.aclose()
    await counting.aclose()
    await database.close()
    if forwarder is not None:
        # Server processes exit without running atexit handlers.
        await asyncio.to_thread(forwarder.close, 1.0)


def _redis(settings: BackendSettings, timeout_s: float) -> aioredis.Redis:
    return aioredis.Redis.from_url(
        settings.redis_url,
        credential_provider=RedisPassword(settings.redis_password_file),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # One retry on a new connection: a restart of Redis closes idle ones.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        client_name=SERVICE,
    )
