"""Dependencies of routes: the session's user and this process's services."""

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
from backend.live.log import EventLog
from backend.live.tails import Tails
from backend.passwords import Passwords
from backend.readiness import Readiness
from backend.repeats import Writing
from backend.sessions import Sessions
from backend.settings import BackendSettings
from backend.throttle import Throttle

_OPERATOR_WAIT_S = 0.8
"""Caddy gives up after more than twice this time."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one server process."""

    settings: BackendSettings
    database: Database
    hub: Hub
    events: EventBus
    log: EventLog
    sessions: Sessions
    users: Users
    tails: Tails
    passwords: Passwords
    throttle: Throttle
    readiness: Readiness


def services_of(connection: HTTPConnection) -> Services:
    """Return this process's services."""
    found: Services = connection.app.state.services
    return found


class Caller:
    """The user of a request, with the services that most routes need."""

    __slots__ = ("db", "events", "session_id", "user")

    def __init__(self, user: Identity, session_id: str, found: Services) -> None:
        self.user = user
        self.session_id = session_id
        self.db = found.database
        self.events = found.events


class WritingCaller(Caller):
    """The user of a request that may carry an `Idempotency-Key`."""

    __slots__ = ("writing",)

    def __init__(self, user: Identity, session_id: str, found: Services, request: Request) -> None:
        super().__init__(user, session_id, found)
        self.writing = Writing(found.database, user.user_id, request)


# Coroutines: FastAPI runs plain functions in its thread pool. Most routes have one dependency only, because each costs
# as much as a small query.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _caller(request: Request) -> Caller:
    found = services_of(request)
    session = found.sessions.verify(request)
    return Caller(await found.users.confirm(session), session.session_id, found)


async def _writer(request: Request) -> WritingCaller:
    found = services_of(request)
    session = found.sessions.verify(request)
    return WritingCaller(await found.users.confirm(session), session.session_id, found, request)


async def operator(request: Request) -> Caller:
    """Return the operator who sent the request. Raises Unauthenticated or NotAnOperator."""
    found = services_of(request)
    session = found.sessions.verify(request)
    # Operators need the recorder most while the database is away, and Caddy's own timeout is short.
    identity = await found.users.confirm(session, _OPERATOR_WAIT_S, _OPERATOR_WAIT_S)
    if not identity.is_operator:
        raise NotAnOperator
    return Caller(identity, session.session_id, found)


ProcessServices = Annotated[Services, Depends(_services)]
"""The services of this process; no session is needed."""
Authenticated = Annotated[Caller, Depends(_caller)]
"""A user with a valid session; others get 401."""
Writer = Annotated[WritingCaller, Depends(_writer)]
"""The same, for a request that may carry an `Idempotency-Key`. The route declares it with `responses.REPEATABLE`."""
Operator = Annotated[Caller, Depends(operator)]
"""An operator; others get 401 or 403."""
