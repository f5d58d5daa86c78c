"""From lines to arrivals: decides what is kept, by whom it is and how bad it is, at the least cost a line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import Any

from log_sink import caddy, entries
from log_sink.buffer import UNKNOWN, Arrival, Buffer, Cell
from log_sink.parse import parse

logger = logging.getLogger(__name__)

LEVELS = {
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "critical",
    "fatal": "critical",
    "panic": "critical",
    "dpanic": "critical",
}
_NOT_KEPT = frozenset(("debug", "info", "notice", "trace"))
LINE_MAX = 64 * 1024
"""Longer lines are cut down on arrival, so that a full buffer stays small in memory."""
SERVICES_MAX = 32
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COLLAPSE_S = 10.0


class Intake:
    """The one way into the buffer for entries from outside."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._services = {name: name for name in (caddy.SERVICE, "log-sink", "backend", "data-processor")}
        self._collapsed = 0
        self._collapse_until = 0.0
        self._bad_lines = 0
        self._bad_told_at = float("-inf")

    def feed(self, lines: Iterable[bytes], source: str) -> None:
        """Take lines of JSON, one entry each. Unreadable ones are counted and reported, never raised."""
        arrivals: list[Arrival] = []
        bad = 0
        for line in lines:
            if not line or line.isspace():
                continue
            raw = parse(line)
            level = raw.get("level") if type(raw) is dict else UNKNOWN
            kept = LEVELS.get(level) if type(level) is str else None
            if kept is None:
                kept = LEVELS.get(level.lower()) if type(level) is str else None
                if kept is None:
                    bad += type(level) is not str or level.lower() not in _NOT_KEPT
                    continue
            collapsed = 0
            if caddy.is_caddys(raw):
                if caddy.is_access(raw):
                    # Caddy logs every status from 400 on as an error; a client's mistake is none of the operator's.
                    if raw["status"] < 500:
                        continue
                    if caddy.concerns_sink(raw):
                        if time.monotonic() < self._collapse_until:
                            self._collapsed += 1
                            self._buffer.drop(Cell(caddy.SERVICE, kept), 1)
                            continue
                        self._collapse_until = time.monotonic() + _COLLAPSE_S
                        collapsed, self._collapsed = self._collapsed, 0
                cell = Cell(caddy.SERVICE, kept)
            else:
                cell = Cell(self.service(raw.get("service")), kept)
            if len(line) > LINE_MAX:
                line = entries.build(raw, *cell)
            arrivals.append(Arrival(cell, line, collapsed))
        if arrivals:
            self._buffer.add(arrivals)
        if bad:
            self._report_bad(bad, source)

    def lost(self, service: Any, level: Any, count: int) -> None:
        """Count entries that somebody on the way here had to discard."""
        kept = LEVELS.get(level, UNKNOWN) if isinstance(level, str) else UNKNOWN
        self._buffer.drop(Cell(self.service(service), kept), count)

    def bad(self, count: int, source: str) -> None:
        """Count lines that could not be read."""
        self._report_bad(count, source)

    def service(self, name: Any) -> str:
        """Return the name to count a service by. Names are few, so that counters stay few."""
        known = self._services.get(name) if isinstance(name, str) else UNKNOWN
        if known is not None:
            return known
        if _SERVICE.fullmatch(name) is None:
            return UNKNOWN
        if len(self._services) >= SERVICES_MAX:
            return "other"
        self._services[name] = name
        return str(name)

    def _report_bad(self, bad: int, source: str) -> None:
        self._buffer.drop(Cell(UNKNOWN, UNKNOWN), bad)
        self._bad_lines += bad
        now = time.monotonic()
        if now - self._bad_told_at >= _COLLAPSE_S:
            self._bad_told_at = now
            bad, self._bad_lines = self._bad_lines, 0
            logger.warning(
                "%d lines could not be read as log entries and are dropped (last source: %s); "
                "every line must be one JSON object with a level",
                bad,
                source,
                extra={"fields": {"bad_lines": bad, "source": source}},
            )
