"""Writes the buffer to Redis in batches while the process runs."""

from __future__ import annotations

import asyncio
import logging
import time

from redis.exceptions import RedisError
from servicekit.facts import LOG_CAP

from log_sink.buffer import Buffer
from log_sink.store import Store

logger = logging.getLogger(__name__)

_PAUSE_AN_ENTRY_S = 0.002
"""Pause after a batch, per entry in it, so that at most 500 entries a second are built."""
_RETRY_S = (0.05, 0.1, 0.2, 0.5)


class Writer:
    """The only task that writes. While Redis is away, one batch waits here and the newest entries in the buffer."""

    def __init__(self, buffer: Buffer, store: Store) -> None:
        self._buffer = buffer
        self._store = store
        self._unwritten: list[object] | None = None

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            batch = await self._buffer.take()
            self._unwritten = self._store.prepare(batch)
            await self._write(self._unwritten)
            self._unwritten = None
            await asyncio.sleep(_PAUSE_AN_ENTRY_S * len(batch.entries))

    async def finish(self) -> None:
        """Write the rest once; call it after `run` was cancelled. Raises RedisError if Redis is away."""
        if self._unwritten is not None:
            await self._store.write(self._unwritten)
        batch = self._buffer.take_now()
        if batch.arrived or batch.dropped:
            await self._store.write(self._store.prepare(batch))

    async def _write(self, prepared: list[object]) -> None:
        failed_at, attempt = 0.0, 0
        while True:
            try:
                await self._store.write(prepared)
                break
            except (RedisError, OSError) as error:
                if attempt == 0:
                    failed_at = time.monotonic()
                    logger.warning("Redis does not accept entries (%s); the newest %d wait in memory", error, LOG_CAP)
                await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
        if attempt:
            logger.warning("Redis accepts entries again after %.1f s", time.monotonic() - failed_at)
