"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import atexit
import logging
import sys
import time
from typing import Any

from servicekit.forwarder import Forwarder
from servicekit.lines import later_line, later_line_from, level_of, line_from, warning_line
from servicekit.tally import Tally

LINES_A_SECOND = 20
"""Warnings and errors that a process writes to its own log at most: more would cost the requests beside them."""
_BURST = 200
"""And so many at once. What is below a warning is written always: it is there only if somebody asked for it."""
_EXCEPTION_COSTS = 10
"""How many ordinary lines the work on one with a traceback is worth."""


class JsonHandler(logging.Handler):
    """Writes each record as one JSON line to standard error and offers warnings and worse to the forwarder.

    In a flood, beyond `LINES_A_SECOND`, lines are counted instead of written, and the forwarder renders those alone
    that it sends. Lines are clean: no secrets, no control characters, at most 16 KiB.
    """

    def __init__(self, service: str, forwarder: Forwarder | None) -> None:
        super().__init__()
        self._service = service
        self._forwarder = forwarder
        self._allowance = float(_BURST)
        self._counted_at = self._told_at = self._next_at = time.monotonic()
        self._unwritten = Tally()
        self._told = 0

    def takes_unmade(self, name: str, level: int, message: Any, args: Any, extra: Any) -> bool:
        """In a flood, take a warning or worse before a record is made of it, and say so; if not, it takes a record."""
        if level < logging.WARNING or level < self.level or time.monotonic() >= self._next_at or self.filters:
            return False
        try:
            line = later_line(self._service, name, level, time.time(), message, args, extra)
            if line is None:
                return False
            if self._forwarder is not None:
                self._forwarder.offer(level_of(level), line)
        except Exception:  # `handle` has a place to tell it
            return False
        self._unwritten.add()
        return True

    def handle(self, record: logging.LogRecord) -> Any:
        """Handle one record: what logging does, but in a flood without a lock and without the writing."""
        if record.levelno < logging.WARNING or time.monotonic() >= self._next_at or self.filters:
            return super().handle(record)
        try:
            if self._forwarder is not None:
                self._forwarder.offer(level_of(record.levelno), later_line_from(record, self._service))
            self._unwritten.add()
        except Exception:
            self.handleError(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write and offer a record; one that cannot be rendered is told to logging's own error hook, never raised."""
        try:
            line = line_from(record, self._service)
            if record.levelno >= logging.WARNING:
                self._note(time.monotonic(), _EXCEPTION_COSTS if record.exc_info else 1)
                if self._forwarder is not None:
                    self._forwarder.offer(level_of(record.levelno), line)
            self._write(line)
        except Exception:
            self.handleError(record)

    def _note(self, now: float, cost: int) -> None:
        """Find out when the line after the one that is written now may be written, and tell how many were not."""
        self._allowance = min(_BURST, self._allowance + (now - self._counted_at) * LINES_A_SECOND) - cost
        self._counted_at = now
        self._next_at = now + (1 - self._allowance) / LINES_A_SECOND
        if now - self._told_at < 1:
            return
        unwritten = self._unwritten.total()
        if unwritten > self._told:
            message = f"{unwritten - self._told} warnings and errors were left out here"
            self._told, self._told_at = unwritten, now
            self._write(warning_line(self._service, __name__, time.time(), message))

    def _write(self, line: bytes) -> None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()


class Logger(logging.Logger):
    """Logging's own, but for this: where nobody but a `JsonHandler` would get it, a flood's warning becomes no record.

    To make one, and to pass it on, is most of what a warning costs the request beside it; and few are ever looked at.
    """

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        if not exc_info and not stack_info and not self.filters:
            one: logging.Logger = self
            while (parent := one.parent) is not None and one.propagate and not one.handlers:
                one = parent
            if parent is None and len(one.handlers) == 1:
                handler = one.handlers[0]
                if isinstance(handler, JsonHandler) and handler.takes_unmade(self.name, level, msg, args, extra):
                    return
        super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel)


def configure(service: str, level: str, forward_url: str | None) -> Forwarder | None:
    """Make the root logger write JSON lines and forward warnings to `forward_url`; return the forwarder, if any.

    Call it once a process. What is still queued is sent, for a second at most, when the process ends.
    """
    forwarder = Forwarder(service, forward_url) if forward_url else None
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(JsonHandler(service, forwarder))
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.setLoggerClass(Logger)
    for logger in root.manager.loggerDict.values():
        if type(logger) is logging.Logger:  # of a module that is imported already
            logger.__class__ = Logger
    # What no entry says need not be found out for every record.
    logging._srcfile = None  # noqa: SLF001  # as Python's logging HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
