"""Counters by key and time window, in Redis; in this process's memory while Redis is away."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio as aioredis
from redis.exceptions import RedisError
from servicekit.log.outage import Outage

log = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 2.0
"""Timeout of Redis. During a flood of logins this process itself is slow to read the answer."""
_MAX_CONCURRENT = 8
"""Most concurrent commands. Without a limit, a flood of logins opens one connection each."""
_MAX_LOCAL_KEYS = 10_000

Result = TypeVar("Result")


class Store:
    """Runs the Redis commands of all counters; an outage is logged once."""

    def __init__(self, redis: aioredis.Redis) -> None:
        self._redis = redis
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)
        self._outage = Outage(log, "Redis (logins are counted in each process alone)", level=logging.WARNING)

    async def run(self, command: Callable[[aioredis.Redis], Awaitable[Result]]) -> Result | None:
        """Run `command` and return its result; None while Redis is away."""
        try:
            async with self._slots:
                if self._outage.expected:
                    return None
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    result = await command(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._outage.failed(error)
            return None
        self._outage.worked()
        return result


class Counter:
    """Allows `limit` per key in `window_s` seconds; the window begins with the key's first count."""

    def __init__(self, store: Store, kind: str, limit: int, window_s: int) -> None:
        self._store = store
        self._kind = kind
        self._limit = limit
        self._window_s = window_s
        self._local: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def add(self, *key: str) -> int | None:
        """Count one for `key`. Return None if it is allowed, else the seconds until the window ends."""
        name = _name(self._kind, key)

        async def count(redis: aioredis.Redis) -> tuple[int, float]:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(name, 0, ex=self._window_s, nx=True)
                pipe.incr(name)
                pipe.pttl(name)
                _, counted, left_ms = await pipe.execute()
            return int(counted), max(0, int(left_ms)) / 1000

        counted, left_s = await self._store.run(count) or self._add_locally(name)
        return None if counted <= self._limit else max(1, math.ceil(left_s))

    async def take_back(self, *key: str) -> None:
        """Count one less for `key`."""
        name = _name(self._kind, key)
        counted, until = self._local.get(name, (0, 0.0))
        if counted > 0:
            self._local[name] = (counted - 1, until)

        async def subtract(redis: aioredis.Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                # If the window has just ended, DECR alone would create a key that never expires.
                pipe.set(name, 0, ex=self._window_s, nx=True)
                pipe.decr(name)
                await pipe.execute()

        await self._store.run(subtract)

    async def clear(self, *key: str) -> None:
        """Reset the count of `key`."""
        name = _name(self._kind, key)
        self._local.pop(name, None)
        await self._store.run(lambda redis: redis.delete(name))

    def _add_locally(self, name: str) -> tuple[int, float]:
        now = time.monotonic()
        counted, until = self._local.pop(name, (0, 0.0))
        if until <= now:
            counted, until = 0, now + self._window_s
        if len(self._local) >= _MAX_LOCAL_KEYS:
            self._local.popitem(last=False)
        self._local[name] = (counted + 1, until)
        return counted + 1, until - now


class Marks:
    """A set of keys; each expires `ttl_s` seconds after it was last set."""

    def __init__(self, store: Store, kind: str, ttl_s: int) -> None:
        self._store = store
        self._kind = kind
        self._ttl_s = ttl_s
        self._local: OrderedDict[str, float] = OrderedDict()

    async def set(self, *key: str) -> None:
        """Add `key`, or extend its time."""
        name = _name(self._kind, key)
        self._local.pop(name, None)
        if len(self._local) >= _MAX_LOCAL_KEYS:
            self._local.popitem(last=False)
        self._local[name] = time.monotonic() + self._ttl_s
        await self._store.run(lambda redis: redis.set(name, 1, ex=self._ttl_s))

    async def has(self, *key: str) -> bool:
        """Return whether `key` is set."""
        name = _name(self._kind, key)
        if self._local.get(name, 0.0) > time.monotonic():
            return True
        return bool(await self._store.run(lambda redis: redis.exists(name)))


def _name(kind: str, key: tuple[str, ...]) -> str:
    # Hashed: a user name may be any text, and Redis shall not show who tried to log in.
    return f"plumbline:{kind}:" + hashlib.sha256("\0".join(key).encode()).hexdigest()
