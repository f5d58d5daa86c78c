"""The handler of all log records: JSON lines on standard error; warnings and worse are also offered to a forwarder."""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from functools import partial
from typing import Any

from servicekit.facts import LOG_LINES_A_SECOND
from servicekit.log.faults import counted, kind_of_record
from servicekit.log.forwarder import Forwarder
from servicekit.log.lines import level_of, line_from, may_wait, raw_entry, render

_BURST = 200
"""Lines that a rate limit admits at once."""
_TRACEBACK_COST = 10
"""A line with a traceback costs this many tokens, because it is that much work."""
_FAULTS_A_SECOND = 1
_REPORT_LEFT_OUT_S = 1.0


class _RateLimit:
    """A token bucket of `_BURST` lines that fills with `per_second`; counts the lines that it does not admit."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._tokens = float(_BURST)
        self._filled_at = time.monotonic()
        self.left_out = 0

    def admits(self, cost: int = 1) -> bool:
        """Return whether a line may be written now. An admitted line may cost more tokens than are left."""
        now = time.monotonic()
        self._tokens = min(_BURST, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            self.left_out += 1
            return False
        self._tokens -= cost
        return True

    def take_left_out(self) -> int:
        """Return the number of lines left out since the last call."""
        number, self.left_out = self.left_out, 0
        return number


class JsonHandler(logging.Handler):
    """Writes each record as one JSON line to standard error and offers warnings and worse to the forwarder.

    Lines are clean: no secrets, no control characters, at most 16 KiB. The forwarder is offered all of them;
    standard error gets `LOG_LINES_A_SECOND` of them, after a burst, and everything below a warning.

    The forwarder renders a line that is not written here, and only if it is sent.

    Faults that clients cause (see `faults.py`) have one rate limit per kind, so they displace nothing else.
    """

    def __init__(self, service: str, forwarder: Forwarder | None) -> None:
        super().__init__()
        self._service = service
        self._forwarder = forwarder
        self._limit = _RateLimit(LOG_LINES_A_SECOND)
        self._reported_at = time.monotonic()
        self._fault_limits = defaultdict[str, _RateLimit](lambda: _RateLimit(_FAULTS_A_SECOND))

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one record. An error is reported by logging's `handleError` and never raised to the caller."""
        try:
            if record.levelno < logging.WARNING:
                self._write(line_from(record, self._service))
            elif (kind := kind_of_record(record)) is None:
                self._emit_warning(record)
            else:
                self._emit_fault(record, kind)
        except Exception:
            self.handleError(record)

    def _emit_warning(self, record: logging.LogRecord) -> None:
        raw, level = raw_entry(record), level_of(record.levelno)
        is_written = self._limit.admits(_TRACEBACK_COST if record.exc_info else 1)
        if self._forwarder is not None and not is_written and may_wait(raw):
            self._forwarder.offer(level, partial(render, raw, self._service, level))
            return
        line = self._line(raw, level)
        if self._forwarder is not None:
            self._forwarder.offer(level, line)
        if is_written:
            self._report_left_out()
            self._write(line)

    def _emit_fault(self, record: logging.LogRecord, kind: str) -> None:
        level = level_of(record.levelno)
        if self._forwarder is not None:
            self._forwarder.count(level, kind, lambda: self._line(raw_entry(record), level))
        limit = self._fault_limits[kind]
        if limit.admits():
            self._write(counted(line_from(record, self._service), kind, 1 + limit.take_left_out()))

    def _line(self, raw: dict[str, Any], level: str) -> bytes:
        try:
            return render(raw, self._service, level)
        except Exception:
            if self._forwarder is not None:
                self._forwarder.drop(level)
            raise

    def _report_left_out(self) -> None:
        now = time.monotonic()
        if self._limit.left_out and now - self._reported_at >= _REPORT_LEFT_OUT_S:
            self._reported_at = now
            message = f"{self._limit.take_left_out()} warnings and errors were left out here"
            self._write(render({"logger": __name__, "message": message}, self._service, level_of(logging.WARNING)))

    def _write(self, line: bytes) -> None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()
