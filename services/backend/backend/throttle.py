"""Counts failed logins by user name and address: in Redis, shared by all processes; in memory while Redis is away."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
import time

import redis.asyncio as aioredis
from fastapi import Request
from redis.exceptions import RedisError
from servicekit.outage import Outage

from backend.errors import TooManyAttempts
from backend.settings import Network

log = logging.getLogger(__name__)

_REDIS_S = 0.5
_REMEMBERED = 10_000


class LoginThrottle:
    """At most `attempts` tries without success in `window_s` seconds for one name from one address."""

    def __init__(self, redis: aioredis.Redis, attempts: int, window_s: int) -> None:
        self._redis = redis
        self._attempts = attempts
        self._window_s = window_s
        self._outage = Outage(log, "Redis (logins are counted in each process alone)", level=logging.WARNING)
        self._counts: dict[str, tuple[int, float]] = {}

    async def attempt(self, username: str, address: str) -> None:
        """Count one try, before its password is looked at. Raises TooManyAttempts, with the seconds to wait."""
        key = _key(username, address)
        count, left_s = await self._count(key)
        if count > self._attempts:
            log.warning("login throttled", extra={"fields": {"username": username[:64], "address": address}})
            raise TooManyAttempts(math.ceil(left_s))

    async def succeeded(self, username: str, address: str) -> None:
        """Forget the tries that came before a success."""
        key = _key(username, address)
        self._counts.pop(key, None)
        if self._outage.expected:
            return
        try:
            async with asyncio.timeout(_REDIS_S):
                await self._redis.delete(key)
        except (RedisError, OSError, TimeoutError) as error:
            self._outage.failed(error)

    async def _count(self, key: str) -> tuple[int, float]:
        if not self._outage.expected:
            try:
                async with asyncio.timeout(_REDIS_S), self._redis.pipeline(transaction=True) as pipe:
                    pipe.set(key, 0, ex=self._window_s, nx=True)
                    pipe.incr(key)
                    pipe.pttl(key)
                    _, count, left_ms = await pipe.execute()
                self._outage.worked()
                return int(count), max(0, int(left_ms)) / 1000
            except (RedisError, OSError, TimeoutError) as error:
                self._outage.failed(error)
        return self._count_here(key)

    def _count_here(self, key: str) -> tuple[int, float]:
        now = time.monotonic()
        if len(self._counts) >= _REMEMBERED:
            self._counts = {name: entry for name, entry in self._counts.items() if entry[1] > now}
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + self._window_s
        if len(self._counts) < _REMEMBERED or key in self._counts:
            self._counts[key] = (count + 1, until)
        return count + 1, until - now


def client_address(request: Request, trusted: tuple[Network, ...]) -> str:
    """Return the address a request came from: what the proxy in front of us saw, if the peer is one that we trust."""
    peer = request.client.host if request.client else "unknown"
    forwarded = request.headers.getlist("x-forwarded-for")
    if not forwarded:
        return peer
    try:
        if any(ipaddress.ip_address(peer) in network for network in trusted):
            # The last entry is our proxy's own observation; those before it are hearsay.
            return str(ipaddress.ip_address(forwarded[-1].rpartition(",")[2].strip()))
    except ValueError:
        pass
    return peer


def _key(username: str, address: str) -> str:
    # Hashed: a name may be anything here, and nobody needs to read who tried to log in out of Redis.
    return "plumbline:login:" + hashlib.sha256(f"{username.lower()}\0{address}".encode()).hexdigest()
