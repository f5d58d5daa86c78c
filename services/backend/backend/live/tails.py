"""Ends the live tails of the recorder after an operator's session has ended."""

from __future__ import annotations

import asyncio
import logging

import redis.asyncio as aioredis
from redis.exceptions import RedisError
from servicekit.facts import OPERATORS_KEY
from servicekit.log.outage import Outage

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_TIMEOUT_S = 2.0


class Tails:
    """Tells the recorder, through Redis, that the sessions of its readers have to be checked again."""

    def __init__(self, redis: aioredis.Redis) -> None:
        self._redis = redis
        self._due = asyncio.Event()
        self._outage = Outage(log, "Redis (live tails of the recorder go on)", level=logging.WARNING)

    def end(self) -> None:
        """End all live tails soon. Never waits."""
        self._due.set()

    async def run(self) -> None:
        """Tell the recorder whenever `end` was called, also after an outage of Redis, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._redis.incr(OPERATORS_KEY)
            except (RedisError, OSError, TimeoutError) as error:
                self._outage.failed(error)
                self._due.set()
                await asyncio.sleep(_RETRY_S)
            else:
                self._outage.worked()
