"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import atexit
import logging
import sys
import time
from functools import partial
from typing import Any

from servicekit import entries
from servicekit.bounds import STRING_MAX, WIDTH_MAX, text_of
from servicekit.context import request_id
from servicekit.entries import EXCEPTION_MAX, MESSAGE_MAX
from servicekit.forwarder import Forwarder, Line

LINES_A_SECOND = 100
"""What a process writes to its own log at most: the work on more of them would cost the requests beside it."""
_BURST = 100
_EXCEPTION_COSTS = 10
"""How many ordinary lines the work on one with a traceback is worth."""
_FORMATTER = logging.Formatter()
_SCALARS = frozenset((int, float, bool, type(None)))
_ORDINARY_COUNT = len(vars(logging.makeLogRecord({})))
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"fields", "message", "asctime"}
"""What every record has, and what formatters leave on it."""


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
        self._asked_at = self._told_at = time.monotonic()
        self._unwritten = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one record; a record that cannot be rendered is reported by logging's own error hook, never raised."""
        try:
            forwarder = self._forwarder if record.levelno >= logging.WARNING else None
            if self._may_write(_EXCEPTION_COSTS if record.exc_info else 1):
                line = line_from(record, self._service)
                if forwarder is not None:
                    forwarder.offer(level_of(record.levelno), line)
                self._write(line)
            elif forwarder is not None:
                forwarder.offer(level_of(record.levelno), _unrendered(record, self._service))
        except Exception:
            self.handleError(record)

    def _may_write(self, cost: int) -> bool:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._asked_at) * LINES_A_SECOND)
        self._asked_at = now
        if self._allowance < 1:
            self._unwritten += 1
            return False
        self._allowance -= cost
        if self._unwritten and now - self._told_at >= 1:
            unwritten, self._unwritten, self._told_at = self._unwritten, 0, now
            said = {"ts": time.time(), "logger": __name__, "message": f"{unwritten} lines were left out here"}
            self._write(_ended(entries.build(said, self._service, "warning")))
        return True

    def _write(self, line: bytes) -> None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()


def _unrendered(record: logging.LogRecord, service: str) -> Line:
    """Return what renders a record's line when it is called; the line itself, if the fields are much or may change.

    What is kept until then is small, and nobody else's to change.
    """
    fields = _fields(record)
    if not _is_small(fields):
        return line_from(record, service)
    own = None if fields is None else dict(fields)
    if record.exc_info is None and _stays(record):
        return partial(_line_of, record, own, request_id.get(), service)
    return partial(_line, _raw(record, own, request_id.get()), service, record.levelno)


def _stays(record: logging.LogRecord) -> bool:
    """Say whether a record's message will be the same later, and is little to keep until then."""
    args: Any = record.args or ()
    if type(record.msg) is not str or len(record.msg) > STRING_MAX or type(args) is not tuple or len(args) > WIDTH_MAX:
        return False
    for value in args:  # faster than all()
        kind = type(value)
        if not (kind in _SCALARS or (kind is str and len(value) <= STRING_MAX)):
            return False
    return True


def _fields(record: logging.LogRecord) -> Any:
    """Return what the caller gave as `extra`: `{"fields": {…}}`, or names of its own, which become fields as well."""
    given = record.__dict__
    fields = given.get("fields")
    if len(given) <= _ORDINARY_COUNT + ("fields" in given):
        return fields
    others = {name: value for name, value in given.items() if name not in _ORDINARY}
    if fields is None or not others:
        return others or fields
    return {**fields, **others} if type(fields) is dict else {"fields": fields, **others}


def _is_small(fields: Any) -> bool:
    if fields is None:
        return True
    if type(fields) is not dict or len(fields) > WIDTH_MAX:
        return False
    for name, value in fields.items():  # faster than all()
        kind = type(value)
        if type(name) is not str or not (kind in _SCALARS or (kind is str and len(value) <= STRING_MAX)):
            return False
    return True


def line_from(record: logging.LogRecord, service: str, collapsed: int = 0) -> bytes:
    """Return the entry for a log record as one line of JSON: see `servicekit.entries.build`."""
    return _line(_raw(record, _fields(record), request_id.get()), service, record.levelno, collapsed)


def _line_of(record: logging.LogRecord, fields: Any, own_id: str | None, service: str) -> bytes:
    return _line(_raw(record, fields, own_id), service, record.levelno)


def _line(raw: dict[str, Any], service: str, level: int, collapsed: int = 0) -> bytes:
    return _ended(entries.build(raw, service, level_of(level), collapsed))


def _raw(record: logging.LogRecord, fields: Any, own_id: str | None) -> dict[str, Any]:
    return {
        "ts": record.created,
        "logger": record.name,
        # More than is looked at where the text is made safe, so that the cut is seen there.
        "message": _message(record)[: 2 * MESSAGE_MAX + 1],
        "request_id": own_id,
        "fields": fields,
        "exception": _exception(record),
    }


def _exception(record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[0] is None:
        return None
    text = _FORMATTER.formatException(record.exc_info)
    # More than is looked at of either end, as above.
    return text if len(text) <= 4 * EXCEPTION_MAX else text[:EXCEPTION_MAX] + text[-3 * EXCEPTION_MAX :]


def _ended(line: bytes) -> bytes:
    return line + b"\n"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # A mistake in a logging call must not cost the entry, which may be about something far worse.
        return f"{text_of(record.msg)} (arguments could not be put in: {error.__class__.__name__})"


def level_of(number: int) -> str:
    """Return the recorder's name of a level."""
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


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
    # What no entry says need not be found out for every record; where it was logged alone is half of logging's cost.
    logging._srcfile = None  # noqa: SLF001  # as Python's logging HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
