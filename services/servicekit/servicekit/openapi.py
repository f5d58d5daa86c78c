"""Shared parts of the services' OpenAPI descriptions: refusals, health and session schemes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from servicekit.facts import SESSION_COOKIE

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
"""Requirement of a call that needs a session: any one of the schemes."""


class FieldError(BaseModel):
    """An error in one field."""

    field: str
    message: str


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None
    errors: list[FieldError] | None = None


class Health(BaseModel):
    """State of this service."""

    service: str
    version: str
    stack_id: str
    status: Literal["ok", "unavailable"]
    schema_revision: str | None
    reason: str | None = None
