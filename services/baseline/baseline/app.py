"""The application of the one process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from servicekit import health, lifeline
from servicekit.facts import OPERATOR_USERNAME, VERSION
from servicekit.log.setup import configure_logging
from servicekit.secrets import read_secret
from servicekit.stopping import on_stop
from starlette.types import ASGIApp

from baseline import chat, documents
from baseline.settings import SERVICE, load
from baseline.store import Row
from baseline.web import Baseline, FrontDoor, Own, answer_refusals


def create_app() -> ASGIApp:
    """Return the application, with settings from the environment. Configures logging."""
    lifeline.end_with_parent()
    settings = load()
    forwarder = configure_logging(SERVICE, settings.log_level, settings.log_forwarding())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.baseline = own = Baseline(settings)
        await chat.make_operator(own, OPERATOR_USERNAME, read_secret(settings.operator_password_file))
        on_stop(own.hub.close_all)
        heartbeat = asyncio.create_task(lifeline.beat_from_loop())
        yield
        heartbeat.cancel()
        own.store.close()
        if forwarder is not None:
            await asyncio.to_thread(forwarder.close, 1.0)

    routers = (chat.router, documents.router)
    routes = [route for router in routers for route in router.routes]
    app = FastAPI(
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        title="Plumbline baseline", version=VERSION, lifespan=lifespan, openapi_url=None, redirect_slashes=False,
        routes=routes,
    )  # fmt: skip

    @app.get("/health")
    @app.get("/health/live")
    async def read_health(own: Own) -> Row:
        """Say that the database can be read."""
        own.store.all("SELECT id FROM identity")
        return dict(health.payload(SERVICE, settings.stack_id))

    answer_refusals(app)
    return FrontDoor(app, settings)
