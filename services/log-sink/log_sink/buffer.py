"""The memory of one sink: the newest entries on their way to Redis, and exact counts of all others."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from servicekit.facts import LOG_CAP

UNKNOWN = "unknown"
_CELL = itemgetter(0)


class Cell(NamedTuple):
    """The key by which entries are counted."""

    service: str
    level: str


Raw = dict[str, Any]
"""A parsed entry as it arrived. `entries.py` builds the stored entry from it."""
Arrival = tuple[Cell, Raw]


@dataclass
class Faults:
    """Faults of one kind: the first, and their number."""

    raw: Raw
    count: int


@dataclass
class Batch:
    """Everything that arrived since the last batch. `entries` are the newest; the others are superseded.

    `faults` are counted by kind, apart from the entries, so they supersede nothing else.
    """

    arrived: Counter[Cell] = field(default_factory=Counter)
    dropped: Counter[Cell] = field(default_factory=Counter)
    entries: deque[Arrival] = field(default_factory=lambda: deque(maxlen=LOG_CAP))
    faults: dict[tuple[Cell, str], Faults] = field(default_factory=dict)

    def superseded(self) -> Counter[Cell]:
        """Return for each cell the number of entries that newer ones of this batch superseded."""
        faults: Counter[Cell] = Counter()
        for (cell, _), some in self.faults.items():
            faults[cell] += some.count
        return self.arrived - faults - Counter(map(_CELL, self.entries))


class Buffer:
    """Collects arrivals for the writer. Never grows beyond one batch, never blocks."""

    def __init__(self) -> None:
        self._batch = Batch()
        self._filled = asyncio.Event()

    def add(self, arrivals: list[Arrival]) -> None:
        """Add entries in order of arrival."""
        self._batch.arrived.update(map(_CELL, arrivals))
        self._batch.entries.extend(arrivals)
        self._filled.set()

    def count(self, cell: Cell, kind: str, raw: Raw, count: int) -> None:
        """Add `count` faults of a kind; `raw` is one of them."""
        self._batch.arrived[cell] += count
        some = self._batch.faults.get((cell, kind))
        if some is None:
            self._batch.faults[cell, kind] = Faults(raw, count)
        else:
            some.count += count
        self._filled.set()

    def supersede(self, cell: Cell, count: int) -> None:
        """Count entries that newer ones replaced before they arrived."""
        if count > 0:
            self._batch.arrived[cell] += count
            self._filled.set()

    def drop(self, cell: Cell, count: int) -> None:
        """Count entries that are known to have existed and are lost."""
        if count > 0:
            self._batch.dropped[cell] += count
            self._filled.set()

    async def take(self) -> Batch:
        """Wait until something has arrived, and return all of it."""
        await self._filled.wait()
        return self.take_now()

    def take_now(self) -> Batch:
        """Return what has arrived, which may be nothing."""
        batch, self._batch = self._batch, Batch()
        self._filled.clear()
        return batch
