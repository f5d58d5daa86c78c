"""How often one address may try to log in and to register, and how often one user name may be tried."""

from __future__ import annotations

import logging

import redis.asyncio as aioredis
from servicekit.log.faults import client_fault

from backend.addresses import counted_as
from backend.counters import Counter, Marks, Store
from backend.errors import TooManyAttempts, TooManyRegistrations
from backend.settings import BackendSettings

log = logging.getLogger(__name__)

_KNOWN_S = 90 * 24 * 3600
"""How long an address stays known to a user who logged in from it."""

Lane = tuple[str, ...]
"""Whose turn it is when passwords are hashed: see `backend.passwords`."""


class Throttle:
    """Limits logins and registrations.

    A name and an address that belong together, because that user has logged in from there, have a quota of their own:
    other names at the same address do not use it up, nor does the same name from elsewhere.
    """

    def __init__(self, redis: aioredis.Redis, settings: BackendSettings) -> None:
        store = Store(redis)
        window_s = settings.login_window_s
        self._by_both = Counter(store, "login", settings.login_attempts, window_s)
        self._by_address = Counter(store, "login-address", settings.login_attempts_per_address, window_s)
        self._by_name = Counter(store, "login-name", settings.login_attempts_per_name, window_s)
        self._known = Marks(store, "login-known", _KNOWN_S)
        self._registrations = Counter(
            store, "registration", settings.registrations_per_address, settings.registration_window_s
        )

    async def login(self, username: str, address: str) -> Lane:
        """Count one try, before its password is looked at, and return its lane. Raises TooManyAttempts."""
        name, place = username.lower(), counted_as(address)
        self._refuse(await self._by_both.add(name, place), username, address, "this user name from your address")
        if await self._known.has(name, place):
            return (place, name)
        # One after the other: what an earlier limit refuses must not use up a later one.
        self._refuse(await self._by_address.add(place), username, address, "your address")
        self._refuse(await self._by_name.add(name), username, address, "this user name")
        return (place,)

    async def succeeded(self, username: str, address: str) -> None:
        """Forget a user's tries at this address, and that it was new."""
        name, place = username.lower(), counted_as(address)
        await self._by_both.clear(name, place)
        if not await self._known.has(name, place):
            await self._by_address.take_back(place)
            await self._by_name.take_back(name)
        await self._known.set(name, place)

    async def registration(self, address: str) -> Lane:
        """Count one registration and return its lane. Raises TooManyRegistrations."""
        place = counted_as(address)
        left_s = await self._registrations.add(place)
        if left_s is not None:
            client_fault(log, "registration_throttled", "registration throttled", address=address)
            raise TooManyRegistrations(left_s)
        return (place,)

    async def registered(self, username: str, address: str) -> None:
        """Remember where a new user registered: it is known from then on."""
        await self._known.set(username.lower(), counted_as(address))

    def _refuse(self, left_s: int | None, username: str, address: str, whose: str) -> None:
        if left_s is None:
            return
        client_fault(log, "login_throttled", "login throttled", username=username[:64], address=address, limit=whose)
        raise TooManyAttempts(left_s, whose)
