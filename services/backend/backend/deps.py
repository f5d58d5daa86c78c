"""What a route may ask for: a signature reads as a list of needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from servicekit.tokens import Identity

from backend.accounts import Users
from backend.database import Database
from backend.errors import NotAnOperator
from backend.live.events import EventBus
from backend.live.hub import Hub
from backend.passwords import Passwords
from backend.readiness import Readiness
from backend.sessions import Sessions
from backend.settings import BackendSettings
from backend.throttle import Throttle

_OPERATOR_WAIT_S = 0.8
"""Twice this is less than Caddy waits before it asks elsewhere."""


@dataclass(frozen=True, slots=True)
class Services:
    """What one server process has, for as long as it runs."""

    settings: BackendSettings
    database: Database
    hub: Hub
    events: EventBus
    sessions: Sessions
    users: Users
    passwords: Passwords
    throttle: Throttle
    readiness: Readiness


def services_of(connection: HTTPConnection) -> Services:
    """Return this process's services."""
    found: Services = connection.app.state.services
    return found


class Caller:
    """Who asks, and what the answer is made from."""

    __slots__ = ("db", "events", "user")

    def __init__(self, user: Identity, found: Services) -> None:
        self.user = user
        self.db = found.database
        self.events = found.events


# Coroutines, because the framework would run plain functions in its thread pool. Each route asks for one of these
# alone: a dependency costs as much as a small query.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _caller(request: Request) -> Caller:
    found = services_of(request)
    return Caller(await found.users.confirm(found.sessions.verify(request).identity), found)


async def _operator(request: Request) -> Caller:
    found = services_of(request)
    identity = found.sessions.verify(request).identity
    # The recorder has to open most of all when the database is away, and its door does not wait long.
    identity = await found.users.confirm(identity, _OPERATOR_WAIT_S, _OPERATOR_WAIT_S)
    if not identity.is_operator:
        raise NotAnOperator
    return Caller(identity, found)


ProcessServices = Annotated[Services, Depends(_services)]
"""The services of this process, without a session."""
Authenticated = Annotated[Caller, Depends(_caller)]
"""A user with a valid session; all others are refused with 401."""
Operator = Annotated[Caller, Depends(_operator)]
"""An operator; all others are refused with 401 or 403."""
