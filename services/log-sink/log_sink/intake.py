"""Turns lines into arrivals: selects those that are kept, with service and level. Each line is parsed once."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import Any

import orjson
from servicekit.facts import ENTRY_MAX_BYTES
from servicekit.log.faults import is_kind

from log_sink import caddy, entries
from log_sink.buffer import UNKNOWN, Arrival, Buffer, Cell
from log_sink.entries import parse

logger = logging.getLogger(__name__)

_NAMES = {
    "warning": ("warning", "warn"),
    "error": ("error",),
    "critical": ("critical", "fatal", "panic", "dpanic"),
}
LEVELS = {spelt: level for level, names in _NAMES.items() for name in names for spelt in (name, name.upper())}
"""The levels that are kept: names of services and of Caddy, mapped to the recorder's names."""
_BELOW = frozenset(("debug", "info", "notice", "trace"))
LINE_MAX = ENTRY_MAX_BYTES
"""Longer lines are cut on arrival, so that a full buffer stays small."""
SERVICES_MAX = 32
KINDS_MAX = 128
_COUNT_MAX = 10**9
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REPORT_S = 60.0


class _Unreported:
    """A count that is reported at most once per `_REPORT_S`."""

    def __init__(self) -> None:
        self._count = 0
        self._reported_at = float("-inf")

    def add(self, count: int) -> int:
        """Add to the count; return the number to report now, 0 if the last report is more recent than `_REPORT_S`."""
        self._count += count
        now = time.monotonic()
        if now - self._reported_at < _REPORT_S:
            return 0
        self._reported_at = now
        number, self._count = self._count, 0
        return number


class Intake:
    """Puts entries from outside into the buffer."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._services: set[str] = set()
        self._cells: dict[tuple[Any, str], Cell] = {}
        self._kinds: set[str] = set()
        self._unreadable = _Unreported()
        self._refused = _Unreported()

    def feed(self, lines: Iterable[bytes], source: str) -> None:
        """Take lines of JSON, one entry each. Unreadable lines are counted and reported; they raise nothing."""
        arrivals: list[Arrival] = []
        unreadable = 0
        for line in lines:
            if not line:
                continue
            raw = parse(line)
            try:
                level = LEVELS[raw["level"]]
            except (KeyError, TypeError):
                unreadable += not (line.isspace() or _is_below(raw))
                continue
            if caddy.is_caddys(raw):
                if caddy.is_of_clients(raw):
                    continue
                cell, kind, count = self._cell(caddy.SERVICE, level), caddy.kind(raw), 1
            else:
                cell, kind, count = self._cell(raw.get("service"), level), raw.get("kind"), _count(raw.get("count"))
            if len(line) > LINE_MAX:
                raw = orjson.loads(entries.build(raw, *cell))
            if is_kind(kind):
                self._buffer.count(cell, self._kind(kind), raw, count)
            else:
                arrivals.append((cell, raw))
        if arrivals:
            self._buffer.add(arrivals)
        if unreadable:
            self.unreadable(unreadable, source)

    def lost(self, service: Any, level: Any, count: int) -> None:
        """Count entries that were discarded before they arrived."""
        self._buffer.drop(self._cell(service, _kept(level)), count)

    def superseded(self, service: Any, level: Any, count: int) -> None:
        """Count entries that their sender replaced by newer ones."""
        self._buffer.supersede(self._cell(service, _kept(level)), count)

    def refused(self, count: int) -> None:
        """Count datagrams that do not come from Caddy, and report them occasionally."""
        self._buffer.drop(Cell(UNKNOWN, UNKNOWN), count)
        if number := self._refused.add(count):
            logger.warning(
                "datagrams without the internal secret, so not from Caddy, were dropped: %d. "
                "Does another program send to this port?",
                number,
                extra={"fields": {"datagrams": number}},
            )

    def unreadable(self, count: int, source: str) -> None:
        """Count lines that could not be read, and report them occasionally."""
        self._buffer.drop(Cell(UNKNOWN, UNKNOWN), count)
        if number := self._unreadable.add(count):
            logger.warning(
                "%d lines could not be read as log entries and are dropped (last source: %s); "
                "every line must be one JSON object with a level",
                number,
                source,
                extra={"fields": {"bad_lines": number, "source": source}},
            )

    def _cell(self, service: Any, level: str) -> Cell:
        try:
            return self._cells[service, level]
        except (KeyError, TypeError):
            cell = Cell(self._service(service), level)
            return self._cells.setdefault((cell.service, level), cell)

    def _service(self, name: Any) -> str:
        """Return the name to count a service by. Names are limited, so that counters stay few and simple."""
        if not isinstance(name, str) or _SERVICE.fullmatch(name) is None:
            return UNKNOWN
        if name not in self._services and len(self._services) >= SERVICES_MAX:
            return "other"
        self._services.add(name)
        return name

    def _kind(self, kind: str) -> str:
        """Return the kind to count by. The number of kinds is limited."""
        if kind not in self._kinds and len(self._kinds) >= KINDS_MAX:
            return f"{kind.partition('.')[0]}.other"
        self._kinds.add(kind)
        return kind


def _count(number: Any) -> int:
    return number if type(number) is int and 1 <= number <= _COUNT_MAX else 1


def _kept(level: Any) -> str:
    return LEVELS.get(level, UNKNOWN) if isinstance(level, str) else UNKNOWN


def _is_below(raw: Any) -> bool:
    level = raw.get("level") if isinstance(raw, dict) else None
    return isinstance(level, str) and level.lower() in _BELOW
