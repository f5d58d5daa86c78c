"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from servicekit.context import request_id
from servicekit.facts import LOG_LINES_A_SECOND
from servicekit.log.faults import counted, is_framework, kind_of_record
from servicekit.log.forwarder import Forwarder, Line
from servicekit.log.lines import kept_fields, later_line_from, level_of, line_from, line_maker, warning_line
from servicekit.log.tally import Tally

_BURST = 200
"""Warnings and errors that may be written at once, before it is `LOG_LINES_A_SECOND`. What is below a warning is
written always: it is there only if somebody asked for it."""
_EXCEPTION_COSTS = 10
"""How many ordinary lines the work on one with a traceback is worth."""


class _Allowance:
    """How many lines about faults of one kind may be written: `_BURST` at once, and then one a second."""

    def __init__(self) -> None:
        self._left = float(_BURST)
        self._counted_at = time.monotonic()
        self._left_out = 0

    def take(self, now: float) -> int:
        """Return how many faults the line stands for that may be written now; 0 if none may."""
        self._left = min(_BURST, self._left + now - self._counted_at)
        self._counted_at = now
        if self._left < 1:
            self._left_out += 1
            return 0
        self._left -= 1
        number, self._left_out = self._left_out + 1, 0
        return number


class JsonHandler(logging.Handler):
    """Writes each record as one JSON line to standard error and offers warnings and worse to the forwarder.

    In a flood, beyond `LOG_LINES_A_SECOND`, lines are counted instead of written, and the forwarder renders those
    alone that it sends. Lines are clean: no secrets, no control characters, at most 16 KiB.

    Faults that clients cause (see `faults.py`) are counted by kind and take nothing of what others may write.
    """

    def __init__(self, service: str, forwarder: Forwarder | None) -> None:
        super().__init__()
        self.service = service
        self.forwarder = forwarder
        self.next_at = time.monotonic()
        """When the next warning or error may be written: until then it is a flood."""
        self.unwritten = Tally()
        self._allowance = float(_BURST)
        self._counted_at = self._told_at = self.next_at
        self._told = 0
        self._faults: dict[str, _Allowance] = {}

    def handle(self, record: logging.LogRecord) -> Any:
        """Handle one record: what logging does, but in a flood without a lock and without the writing."""
        kind = kind_of_record(record) if record.levelno >= logging.WARNING else None
        if kind is not None and not self.filters:
            try:
                self._count(record, kind)
            except Exception:
                self.handleError(record)
            return True
        if record.levelno < logging.WARNING or time.monotonic() >= self.next_at or self.filters:
            return super().handle(record)
        try:
            if self.forwarder is not None:
                self.forwarder.offer(level_of(record.levelno), later_line_from(record, self.service))
            self.unwritten.add()
        except Exception:
            self.handleError(record)
        return True

    def _count(self, record: logging.LogRecord, kind: str) -> None:
        if self.forwarder is not None:
            self.forwarder.count(level_of(record.levelno), kind, lambda: line_from(record, self.service))
        with self.lock or nullcontext():
            number = self._faults.setdefault(kind, _Allowance()).take(time.monotonic())
        if number:
            self._write(counted(line_from(record, self.service), kind, number))

    def emit(self, record: logging.LogRecord) -> None:
        """Write and offer a record; one that cannot be rendered is told to logging's own error hook, never raised."""
        try:
            line = line_from(record, self.service)
            if record.levelno >= logging.WARNING:
                self._note(time.monotonic(), _EXCEPTION_COSTS if record.exc_info else 1)
                if self.forwarder is not None:
                    self.forwarder.offer(level_of(record.levelno), line)
            self._write(line)
        except Exception:
            self.handleError(record)

    def _note(self, now: float, cost: int) -> None:
        """Find out when the line after the one that is written now may be written, and tell how many were not."""
        self._allowance = min(_BURST, self._allowance + (now - self._counted_at) * LOG_LINES_A_SECOND) - cost
        self._counted_at = now
        self.next_at = now + (1 - self._allowance) / LOG_LINES_A_SECOND
        if now - self._told_at < 1:
            return
        unwritten = self.unwritten.total()
        if unwritten > self._told:
            message = f"{unwritten - self._told} warnings and errors were left out here"
            self._told, self._told_at = unwritten, now
            self._write(warning_line(self.service, __name__, time.time(), message))

    def _write(self, line: bytes) -> None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class _FastPath:
    """What a flood's warnings of one logger and level become, without a record: lines to be made of `maker` later.

    It holds from `begun` to `until`, by the wall clock, which is when the next line is written: who else would get
    them is not asked again before that. To ask each time was a seventh of what a warning costs.
    """

    begun: float
    until: float
    maker: Callable[..., bytes]
    offer: Callable[[str, Line], None]
    count: Callable[[], int]


def _fast_path(logger: logging.Logger, level: int, now: float) -> _FastPath | None:
    """Return the fast path from `now` on; None if there is no flood, or not just one `JsonHandler` would get it."""
    if logger.filters or not logger.isEnabledFor(level) or is_framework(logger.name):
        return None
    one = logger
    while (parent := one.parent) is not None and one.propagate and not one.handlers:
        one = parent
    handler = one.handlers[0] if parent is None and len(one.handlers) == 1 else None
    if type(handler) is not JsonHandler or handler.forwarder is None or handler.filters or level < handler.level:
        return None
    calm_in = handler.next_at - time.monotonic()
    if calm_in <= 0:
        return None
    maker = line_maker(handler.service, level_of(level), logger.name)
    return _FastPath(now, now + calm_in, maker, handler.forwarder.offer, handler.unwritten.add)


def _method(level: int) -> Any:
    """Return logging's own method of a level; in a flood it takes the fast path that `Logger` describes."""
    name = level_of(level)
    ordinary = getattr(logging.Logger, name)
    paths: dict[logging.Logger, _FastPath | None] = {}

    @functools.wraps(ordinary)
    def method(
        self: logging.Logger,
        msg: object,
        *args: object,
        exc_info: Any = None,
        extra: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        now, path = time.time(), paths.get(self)
        if path is None or not path.begun <= now < path.until:
            path = paths[self] = _fast_path(self, level, now)
        if path is not None and not exc_info and not stack_info:
            try:
                fields = kept_fields(msg, args, extra)
                if fields is not None:
                    path.offer(name, (path.maker, now, msg, args, fields, request_id.get()))
                    path.count()
                    return
            except Exception:  # noqa: S110  # logging's own way has a place to tell it
                pass
        ordinary(self, msg, *args, exc_info=exc_info, extra=extra, stack_info=stack_info, stacklevel=stacklevel)

    return method


class Logger(logging.Logger):
    """Logging's own, but for this: where nobody but a `JsonHandler` would get it, a flood's warning becomes no record.

    To make one, and to pass it on, is most of what a warning costs the request beside it; and few are ever looked at.
    `log()` makes one all the same: a further method that floods is a further line here.
    """

    warning = _method(logging.WARNING)
    error = _method(logging.ERROR)
    critical = _method(logging.CRITICAL)
