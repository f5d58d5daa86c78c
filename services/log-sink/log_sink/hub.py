"""Reads the Redis stream once for all live readers of this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from log_sink.store import Kept, Stats, Store, newest_of

logger = logging.getLogger(__name__)

BLOCK_MS = 1000
_STATS_EVERY_S = 0.2
_STATS_SOON_MS = 200
_RETRY_S = 0.5


@dataclass(frozen=True)
class Position:
    """The position of a live reader: the two halves of the id of its last entry."""

    epoch: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Parse `<epoch>-<sequence>`; raises ValueError for other text. `0` means the beginning."""
        epoch, _, sequence = text.partition("-")
        if not (text.isascii() and epoch.isdigit() and (sequence or "0").isdigit() and len(text) <= 40):
            raise ValueError(text)
        return cls(int(epoch), int(sequence or "0"))


@dataclass
class News:
    """Entries that a reader has not seen, oldest first; `missed` more are gone; `emptied`: discard all earlier ones."""

    entries: list[Kept]
    missed: int = 0
    emptied: bool = False


class Hub:
    """Keeps the newest entries and the counts in memory, and wakes the readers that wait for changes."""

    def __init__(self, store: Store, on_new_epoch: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._on_new_epoch = on_new_epoch
        self._newest: list[Kept] = []
        self._changed = asyncio.Event()
        self._stats_at = 0.0
        self._stats_pending = False
        self.epoch = 0
        self.stats: dict[str, Any] | None = None
        self.away = True
        self.closed = False
        self.readers = 0
        self.ended_tails = 0
        """How often all tails were ended."""
        self._unread = asyncio.Event()
        self._unread.set()

    async def run(self) -> None:
        """Follow the stream until cancelled, also across restarts of Redis."""
        while True:
            try:
                await self._reload()
                while True:
                    await self._follow()
            except (RedisError, OSError) as error:
                if not self.away:
                    logger.warning("the live tail lost Redis (%s); it continues when Redis is back", error)
                self.away = True
                self._wake()
                await asyncio.sleep(_RETRY_S)

    def close(self) -> None:
        """End every reader."""
        self.closed = True
        self._wake()

    def end_tails(self) -> None:
        """End the live tails that are open now. Their readers come back, and their sessions are checked again."""
        self.ended_tails += 1
        self._wake()

    async def end_readers(self) -> None:
        """End every reader; return when none is left."""
        self.close()
        await self._unread.wait()

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Count one reader while the context is open."""
        self.readers += 1
        self._unread.clear()
        try:
            yield
        finally:
            self.readers -= 1
            if not self.readers:
                self._unread.set()

    def changed(self) -> asyncio.Event:
        """Return the event that the next change sets. Call it before reading."""
        return self._changed

    def newest(self) -> Position:
        """Return the position of a reader that wants only future entries."""
        if self._newest:
            return Position(self._newest[-1].epoch, self._newest[-1].sequence)
        return Position(self.epoch, 0)

    def news(self, position: Position) -> News:
        """Return the news since `position`."""
        if position.epoch not in (self.epoch, 0):
            return News(list(self._newest), emptied=True)
        fresh = [kept for kept in self._newest if (kept.epoch, kept.sequence) > (position.epoch, position.sequence)]
        # Numbers missing between two entries belong to faults that were replaced: nothing was missed.
        missed = self._newest[0].sequence - position.sequence - 1 if fresh and position.epoch else 0
        return News(fresh, missed=max(0, missed))

    async def _reload(self) -> None:
        stats, kept = await self._store.read()
        # Without await, so that no reader mistakes old entries for those of a new epoch.
        self._newest = kept[::-1]
        self._show(stats)
        if stats.epoch != self.epoch:
            self._on_new_epoch()
        self.epoch, self.away = stats.epoch, False
        self._wake()

    async def _follow(self) -> None:
        last = self._newest[-1].id if self._newest else f"{self.epoch}-0"
        fresh = await self._store.after(last, _STATS_SOON_MS if self._stats_pending else BLOCK_MS)
        self._stats_pending |= bool(fresh)
        changed = bool(fresh)
        if time.monotonic() - self._stats_at >= _STATS_EVERY_S or any(kept.epoch != self.epoch for kept in fresh):
            stats = await self._store.stats()
            if stats.epoch != self.epoch:
                await self._reload()
                return
            changed |= self._show(stats)
        if fresh:
            self._newest = newest_of([*self._newest, *fresh])
        if changed:
            self._wake()

    def _show(self, stats: Stats) -> bool:
        shown = stats.as_dict()
        changed, self.stats = shown != self.stats, shown
        self._stats_at, self._stats_pending = time.monotonic(), False
        return changed

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
