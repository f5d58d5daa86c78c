"""Liveness and readiness."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from servicekit import health
from servicekit.openapi import Health

from backend.deps import ProcessServices
from backend.responses import json_response
from backend.settings import SERVICE

router = APIRouter(tags=["health"])


@router.get("/health", response_model=Health, responses={503: {"model": Health}})
async def read_health(services: ProcessServices) -> Response:
    """Check readiness: the database answers, and its schema is at this release's revision or a newer one."""
    state = await services.readiness.check()
    body = health.payload(SERVICE, services.settings.stack_id, schema_revision=state.revision, reason=state.reason)
    return json_response(body, 503 if state.reason else 200, {"Retry-After": "2"} if state.reason else None)


@router.get("/health/live", response_model=Health, response_model_exclude_unset=True)
async def read_liveness(services: ProcessServices) -> Response:
    """Check liveness; does not depend on the database."""
    return json_response(
        health.payload(SERVICE, services.settings.stack_id, schema_revision=services.readiness.last_seen)
    )
