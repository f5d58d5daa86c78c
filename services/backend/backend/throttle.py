"""Rate limits of logins and registrations, by address and by user name."""

from __future__ import annotations

import logging

import redis.asyncio as aioredis
from servicekit.log.faults import client_fault

from backend.addresses import limit_key
from backend.counters import Counter, Marks, Store
from backend.errors import TooManyAttempts, TooManyRegistrations
from backend.settings import BackendSettings

log = logging.getLogger(__name__)

_KNOWN_S = 90 * 24 * 3600
"""How long an address counts as known after a user logged in from it."""

Lane = tuple[str, ...]
"""The lane of a caller in `backend.passwords`."""


class Throttle:
    """Limits logins and registrations.

    A user and an address from which that user has logged in before share a quota of their own. Other names at that
    address do not count against it, nor does the same name at other addresses.
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
        """Count one attempt, before its password is checked, and return its lane. Raises TooManyAttempts."""
        name, origin = username.lower(), limit_key(address)
        self._refuse(await self._by_both.add(name, origin), username, address, "this user name from your address")
        if await self._known.has(name, origin):
            return (origin, name)
        # In sequence: an attempt that one limit refuses must not count against the next.
        self._refuse(await self._by_address.add(origin), username, address, "your address")
        self._refuse(await self._by_name.add(name), username, address, "this user name")
        return (origin,)

    async def succeeded(self, username: str, address: str) -> None:
        """Reset a user's attempts at this address, and mark the address as known."""
        name, origin = username.lower(), limit_key(address)
        await self._by_both.clear(name, origin)
        if not await self._known.has(name, origin):
            await self._by_address.take_back(origin)
            await self._by_name.take_back(name)
        await self._known.set(name, origin)

    async def registration(self, address: str) -> Lane:
        """Count one registration and return its lane. Raises TooManyRegistrations."""
        origin = limit_key(address)
        left_s = await self._registrations.add(origin)
        if left_s is not None:
            client_fault(log, "registration_throttled", "registration throttled", address=address)
            raise TooManyRegistrations(left_s)
        return (origin,)

    async def registered(self, username: str, address: str) -> None:
        """Mark the address as known to the new user."""
        await self._known.set(username.lower(), limit_key(address))

    def _refuse(self, left_s: int | None, username: str, address: str, whose: str) -> None:
        if left_s is None:
            return
        client_fault(log, "login_throttled", "login throttled", username=username[:64], address=address, limit=whose)
        raise TooManyAttempts(left_s, whose)
