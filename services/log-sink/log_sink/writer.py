"""Moves the buffer into Redis, batch by batch, for as long as the process lives."""

from __future__ import annotations

import asyncio
import logging
import time

from redis.exceptions import RedisError
from servicekit.facts import LOG_CAP

from log_sink.buffer import Batch, Buffer
from log_sink.store import Store, render

logger = logging.getLogger(__name__)

_PAUSE_S = 0.01
_PAUSE_IN_FLOOD_S = 0.2
"""When as much arrives as is kept, waiting longer costs nothing but the work on entries that nobody would see."""
_AT_ONCE = 5
_BREATH_S = 0.005
"""And then so many entries are rendered at once, with such a pause: who needs the same core waits for these alone."""
_RETRY_S = (0.05, 0.1, 0.2, 0.5)


class Writer:
    """The one task that writes. While Redis is away one batch waits here, the newest entries in the buffer."""

    def __init__(self, buffer: Buffer, store: Store) -> None:
        self._buffer = buffer
        self._store = store
        self._taken: Batch | None = None
        self._prepared: list[object] | None = None

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            batch = await self._buffer.take()
            flood = batch.arrived.total() >= LOG_CAP
            await self._deliver(batch, _AT_ONCE if flood else LOG_CAP)
            await asyncio.sleep(_PAUSE_IN_FLOOD_S if flood else _PAUSE_S)

    async def finish(self) -> None:
        """Write what is left, once; called after `run` was cancelled. Raises RedisError if Redis is away."""
        if self._taken is not None:
            await self._store.write(self._prepared or self._store.prepare(self._taken))
        batch = self._buffer.take_now()
        if batch.arrived or batch.dropped:
            await self._store.write(self._store.prepare(batch))

    async def _deliver(self, batch: Batch, at_once: int) -> None:
        self._taken, self._prepared = batch, None
        more = render(batch, at_once)
        while more:
            await asyncio.sleep(_BREATH_S)
            more = render(batch, at_once)
        self._prepared = self._store.prepare(batch)
        failed_at, attempt = 0.0, 0
        while True:
            try:
                await self._store.write(self._prepared)
                break
            except (RedisError, OSError) as error:
                if attempt == 0:
                    failed_at = time.monotonic()
                    logger.warning("Redis does not take entries (%s); the newest %d wait here", error, LOG_CAP)
                await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
        self._taken = None
        if attempt:
            logger.warning("Redis takes entries again, after %.1f s", time.monotonic() - failed_at)
