"""Counts by key and window: in Redis, shared by all processes; in this process's memory while Redis is away."""

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

REDIS_S = 2.0
"""How long Redis may take to answer. In a flood of logins, it is this process that takes its time to look."""
_AT_ONCE = 8
"""Connections to Redis: a flood of logins would otherwise open one each, which costs more than what is asked."""
_REMEMBERED = 10_000

Result = TypeVar("Result")


class Store:
    """The way to Redis that all counters of a process share, with one word in the log for an outage."""

    def __init__(self, redis: aioredis.Redis) -> None:
        self._redis = redis
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._outage = Outage(log, "Redis (logins are counted in each process alone)", level=logging.WARNING)

    async def ask(self, question: Callable[[aioredis.Redis], Awaitable[Result]]) -> Result | None:
        """Return Redis's answer; None while it is away."""
        try:
            async with self._turns:
                if self._outage.expected:
                    return None
                async with asyncio.timeout(REDIS_S):
                    answer = await question(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._outage.failed(error)
            return None
        self._outage.worked()
        return answer


class Counter:
    """At most `most` in `window_s` seconds for each key; the window begins with a key's first."""

    def __init__(self, store: Store, kind: str, most: int, window_s: int) -> None:
        self._store = store
        self._kind = kind
        self.most = most
        self._window_s = window_s
        self._here: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def add(self, *key: str) -> int | None:
        """Count one more under `key`. Return None if that is allowed, else the seconds until the window ends."""
        name = _name(self._kind, key)

        async def count(redis: aioredis.Redis) -> tuple[int, float]:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(name, 0, ex=self._window_s, nx=True)
                pipe.incr(name)
                pipe.pttl(name)
                _, counted, left_ms = await pipe.execute()
            return int(counted), max(0, int(left_ms)) / 1000

        counted, left_s = await self._store.ask(count) or self._add_here(name)
        return None if counted <= self.most else max(1, math.ceil(left_s))

    async def take_back(self, *key: str) -> None:
        """Count one less under `key`."""
        name = _name(self._kind, key)
        counted, until = self._here.get(name, (0, 0.0))
        if counted > 0:
            self._here[name] = (counted - 1, until)

        async def subtract(redis: aioredis.Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                # A key whose window has just ended must not come back without an end.
                pipe.set(name, 0, ex=self._window_s, nx=True)
                pipe.decr(name)
                await pipe.execute()

        await self._store.ask(subtract)

    async def clear(self, *key: str) -> None:
        """Forget what was counted under `key`."""
        name = _name(self._kind, key)
        self._here.pop(name, None)
        await self._store.ask(lambda redis: redis.delete(name))

    def _add_here(self, name: str) -> tuple[int, float]:
        now = time.monotonic()
        counted, until = self._here.pop(name, (0, 0.0))
        if until <= now:
            counted, until = 0, now + self._window_s
        if len(self._here) >= _REMEMBERED:
            self._here.popitem(last=False)
        self._here[name] = (counted + 1, until)
        return counted + 1, until - now


class Marks:
    """Keys that are remembered for `kept_s` seconds after they were last set."""

    def __init__(self, store: Store, kind: str, kept_s: int) -> None:
        self._store = store
        self._kind = kind
        self._kept_s = kept_s
        self._here: OrderedDict[str, float] = OrderedDict()

    async def set(self, *key: str) -> None:
        """Remember `key`."""
        name = _name(self._kind, key)
        self._here.pop(name, None)
        if len(self._here) >= _REMEMBERED:
            self._here.popitem(last=False)
        self._here[name] = time.monotonic() + self._kept_s
        await self._store.ask(lambda redis: redis.set(name, 1, ex=self._kept_s))

    async def has(self, *key: str) -> bool:
        """Say whether `key` is remembered."""
        name = _name(self._kind, key)
        if self._here.get(name, 0.0) > time.monotonic():
            return True
        return bool(await self._store.ask(lambda redis: redis.exists(name)))


def _name(kind: str, key: tuple[str, ...]) -> str:
    # Hashed: a name may be any text, and Redis need not show who tried to log in.
    return f"plumbline:{kind}:" + hashlib.sha256("\0".join(key).encode()).hexdigest()
