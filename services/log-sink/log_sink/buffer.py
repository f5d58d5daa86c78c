"""What one sink holds in memory: the newest entries on their way to Redis, and exact counts of everything else."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from servicekit.facts import LOG_CAP

UNKNOWN = "unknown"
_CELL = itemgetter(0)


class Cell(NamedTuple):
    """What entries are counted by."""

    service: str
    level: str


Arrival = tuple[Cell, bytes]
"""One entry as it came in: a line of JSON that parses to an object."""


@dataclass
class Faults:
    """Faults of one kind: the line of the first, and how many there are."""

    line: bytes
    count: int


@dataclass
class Batch:
    """Everything that arrived since the last batch. `entries` are the newest; the others are superseded.

    `faults` are counted by kind and are no entries: however many come, they push out nothing else.

    `rendered` is what is written of the first entries: of all, once the batch is prepared.
    """

    arrived: Counter[Cell] = field(default_factory=Counter)
    dropped: Counter[Cell] = field(default_factory=Counter)
    entries: deque[Arrival] = field(default_factory=lambda: deque(maxlen=LOG_CAP))
    rendered: list[bytes] = field(default_factory=list)
    faults: dict[tuple[Cell, str], Faults] = field(default_factory=dict)

    def superseded(self) -> Counter[Cell]:
        """Return how many entries of each cell gave way to newer ones inside this batch."""
        faults: Counter[Cell] = Counter()
        for (cell, _), some in self.faults.items():
            faults[cell] += some.count
        return self.arrived - faults - Counter(map(_CELL, self.entries))


class Buffer:
    """Collects arrivals for the writer. Never grows beyond one batch, never waits."""

    def __init__(self) -> None:
        self._batch = Batch()
        self._filled = asyncio.Event()

    def add(self, arrivals: list[Arrival]) -> None:
        """Take entries in order of arrival."""
        self._batch.arrived.update(map(_CELL, arrivals))
        self._batch.entries.extend(arrivals)
        self._filled.set()

    def count(self, cell: Cell, kind: str, line: bytes, count: int) -> None:
        """Take `count` faults of a kind; `line` is the entry of one of them."""
        self._batch.arrived[cell] += count
        some = self._batch.faults.get((cell, kind))
        if some is None:
            self._batch.faults[cell, kind] = Faults(line, count)
        else:
            some.count += count
        self._filled.set()

    def supersede(self, cell: Cell, count: int) -> None:
        """Count entries that newer ones replaced before they came here."""
        if count > 0:
            self._batch.arrived[cell] += count
            self._filled.set()

    def drop(self, cell: Cell, count: int) -> None:
        """Count entries that are known to have existed and are lost."""
        if count > 0:
            self._batch.dropped[cell] += count
            self._filled.set()

    async def take(self) -> Batch:
        """Wait for something to arrive, and return it all."""
        await self._filled.wait()
        return self.take_now()

    def take_now(self) -> Batch:
        """Return what is there, which may be nothing."""
        batch, self._batch = self._batch, Batch()
        self._filled.clear()
        return batch
