"""From lines to arrivals: decides what is kept, by whom it is and how bad it is, at the least cost a line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import Any

from servicekit.log.faults import is_kind

from log_sink import caddy, entries
from log_sink.buffer import UNKNOWN, Arrival, Buffer, Cell
from log_sink.parse import parse

logger = logging.getLogger(__name__)

_NAMES = {
    "warning": ("warning", "warn"),
    "error": ("error",),
    "critical": ("critical", "fatal", "panic", "dpanic"),
}
LEVELS = {spelt: level for level, names in _NAMES.items() for name in names for spelt in (name, name.upper())}
"""What services and Caddy call the levels that are kept, and what the recorder calls them."""
_BELOW = frozenset(("debug", "info", "notice", "trace"))
LINE_MAX = 64 * 1024
"""Longer lines are cut down on arrival, so that a full buffer stays small in memory."""
SERVICES_MAX = 32
KINDS_MAX = 128
_COUNT_MAX = 10**9
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_QUIET_S = 10.0
_REFUSED_QUIET_S = 60.0


class Intake:
    """The one way into the buffer for entries from outside."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._services: set[str] = set()
        self._cells: dict[tuple[Any, str], Cell] = {}
        self._kinds: set[str] = set()
        self._bad_lines = 0
        self._bad_told_at = float("-inf")
        self._refused = 0
        self._refused_told_at = float("-inf")

    def feed(self, lines: Iterable[bytes], source: str) -> None:
        """Take lines of JSON, one entry each. Unreadable ones are counted and reported, never raised."""
        arrivals: list[Arrival] = []
        bad = 0
        for line in lines:
            if not line:
                continue
            raw = parse(line)
            try:
                level = LEVELS[raw["level"]]
            except (KeyError, TypeError):
                bad += not (line.isspace() or _is_below(raw))
                continue
            if caddy.is_caddys(raw):
                if caddy.is_of_clients(raw):
                    continue
                cell, kind, count = self._cell(caddy.SERVICE, level), caddy.kind(raw), 1
            else:
                cell, kind, count = self._cell(raw.get("service"), level), raw.get("kind"), _count(raw.get("count"))
            if len(line) > LINE_MAX:
                line = entries.build(raw, *cell)
            if is_kind(kind):
                self._buffer.count(cell, self._kind(kind), line, count)
            else:
                arrivals.append((cell, line))
        if arrivals:
            self._buffer.add(arrivals)
        if bad:
            self.bad(bad, source)

    def lost(self, service: Any, level: Any, count: int) -> None:
        """Count entries that somebody on the way here had to discard."""
        self._buffer.drop(self._cell(service, _kept(level)), count)

    def superseded(self, service: Any, level: Any, count: int) -> None:
        """Count entries that their sender replaced by newer ones."""
        self._buffer.supersede(self._cell(service, _kept(level)), count)

    def refused(self, count: int) -> None:
        """Count datagrams that do not come from Caddy, and say so now and then."""
        self._buffer.drop(Cell(UNKNOWN, UNKNOWN), count)
        self._refused += count
        now = time.monotonic()
        if now - self._refused_told_at >= _REFUSED_QUIET_S:
            self._refused_told_at = now
            count, self._refused = self._refused, 0
            logger.warning(
                "datagrams that do not carry the internal secret, and so are not Caddy's, were dropped: %d. "
                "Does another program send to this port?",
                count,
                extra={"fields": {"datagrams": count}},
            )

    def bad(self, bad: int, source: str) -> None:
        """Count lines that could not be read, and say so now and then."""
        self._buffer.drop(Cell(UNKNOWN, UNKNOWN), bad)
        self._bad_lines += bad
        now = time.monotonic()
        if now - self._bad_told_at >= _QUIET_S:
            self._bad_told_at = now
            bad, self._bad_lines = self._bad_lines, 0
            logger.warning(
                "%d lines could not be read as log entries and are dropped (last source: %s); "
                "every line must be one JSON object with a level",
                bad,
                source,
                extra={"fields": {"bad_lines": bad, "source": source}},
            )

    def _cell(self, service: Any, level: str) -> Cell:
        try:
            return self._cells[service, level]
        except (KeyError, TypeError):
            cell = Cell(self._service(service), level)
            return self._cells.setdefault((cell.service, level), cell)

    def _service(self, name: Any) -> str:
        """Return the name to count a service by. Names are few and simple, so that counters stay so."""
        if not isinstance(name, str) or _SERVICE.fullmatch(name) is None:
            return UNKNOWN
        if name not in self._services and len(self._services) >= SERVICES_MAX:
            return "other"
        self._services.add(name)
        return name

    def _kind(self, kind: str) -> str:
        """Return the kind to count by. Kinds are few, whatever a service names."""
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
