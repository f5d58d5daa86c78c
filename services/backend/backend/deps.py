"""What a route may ask for: a signature reads as a list of needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from servicekit.tokens import Identity

from backend.database import Database
from backend.live.events import EventBus
from backend.live.hub import Hub
from backend.passwords import Passwords
from backend.sessions import Sessions
from backend.settings import BackendSettings
from backend.throttle import LoginThrottle


@dataclass(frozen=True, slots=True)
class Services:
    """What one server process has, for as long as it runs."""

    settings: BackendSettings
    database: Database
    hub: Hub
    events: EventBus
    sessions: Sessions
    passwords: Passwords
    throttle: LoginThrottle


def services(connection: HTTPConnection) -> Services:
    """Return this process's services."""
    found: Services = connection.app.state.services
    return found


# Coroutines, because the framework would run plain functions in its thread pool.
async def _settings(request: Request) -> BackendSettings:
    return services(request).settings


async def _database(request: Request) -> Database:
    return services(request).database


async def _events(request: Request) -> EventBus:
    return services(request).events


async def _sessions(request: Request) -> Sessions:
    return services(request).sessions


async def _passwords(request: Request) -> Passwords:
    return services(request).passwords


async def _throttle(request: Request) -> LoginThrottle:
    return services(request).throttle


async def _current_user(request: Request) -> Identity:
    return services(request).sessions.verify(request).identity


Settings = Annotated[BackendSettings, Depends(_settings)]
Db = Annotated[Database, Depends(_database)]
Events = Annotated[EventBus, Depends(_events)]
SessionKeeper = Annotated[Sessions, Depends(_sessions)]
PasswordKeeper = Annotated[Passwords, Depends(_passwords)]
Throttle = Annotated[LoginThrottle, Depends(_throttle)]
CurrentUser = Annotated[Identity, Depends(_current_user)]
