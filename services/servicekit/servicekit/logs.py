"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from servicekit import entries
from servicekit.bounds import STRING_MAX, WIDTH_MAX, text_of
from servicekit.context import request_id
from servicekit.entries import EXCEPTION_MAX, MESSAGE_MAX
from servicekit.forwarder import Forwarder, Line
from servicekit.tally import Tally

LINES_A_SECOND = 20
"""Warnings and errors that a process writes to its own log at most: more would cost the requests beside them."""
_BURST = 200
"""And so many at once. What is below a warning is written always: it is there only if somebody asked for it."""
_EXCEPTION_COSTS = 10
"""How many ordinary lines the work on one with a traceback is worth."""
_FORMATTER = logging.Formatter()
_NO_FIELDS: dict[str, Any] = {}
_SCALARS = frozenset((int, float, bool, type(None)))
_NOWHERE = "(unknown file)"
_BLANK = vars(logging.LogRecord("", 0, _NOWHERE, 0, "", (), None, "(unknown function)"))
"""What every record has."""
_BLANK |= {name: None for name in _BLANK if name.startswith(("thread", "process", "task"))}
_BEGUN = _BLANK["created"] - _BLANK["relativeCreated"] / 1000
_ORDINARY = frozenset(_BLANK) | {"fields", "message", "asctime"}
"""And what formatters leave on it."""


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

    def handle(self, record: logging.LogRecord) -> Any:
        """Handle one record: what logging does, but in a flood without a lock, and with as few steps as can be."""
        if record.levelno < logging.WARNING or time.monotonic() >= self._next_at or self.filters:
            return super().handle(record)
        try:
            if self._forwarder is not None:
                self._forwarder.offer(level_of(record.levelno), _unrendered(record, self._service))
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
            said = {"ts": time.time(), "logger": __name__, "message": message}
            self._write(_ended(entries.build(said, self._service, "warning")))

    def _write(self, line: bytes) -> None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()


def _unrendered(record: logging.LogRecord, service: str) -> Line:
    """Return what renders a record's line when it is called; the line itself, if the fields are much or may change.

    What is kept until then is small, and nobody else's to change.
    """
    fields, args = _fields(record) if len(record.__dict__) > len(_BLANK) else _NO_FIELDS, record.args
    if type(fields) is not dict:
        return line_from(record, service)
    if record.exc_info is None and type(args) is tuple and _are_small((record.msg, *args, *fields, *fields.values())):
        # Not the record: two hundred of them, each over a kilobyte, would drive what requests need out of the cache.
        return partial(
            _line_later, service, record.levelno, record.created, record.name, record.msg, args,
            fields.copy(), request_id.get(),
        )  # fmt: skip
    if not _are_small((*fields, *fields.values())):
        return line_from(record, service)
    return partial(_line, _raw(record, fields.copy(), request_id.get()), service, record.levelno)


def _line_later(service: str, level: int, created: float, name: str, message: str, args: Any, *known: Any) -> bytes:
    record = logging.makeLogRecord({"created": created, "name": name, "msg": message, "args": args})
    return _line(_raw(record, *known), service, level)


def _are_small(values: tuple[Any, ...]) -> bool:
    """Say whether all of them are little to keep and nobody's to change."""
    if len(values) > 2 * WIDTH_MAX:
        return False
    for value in values:  # faster than all()
        kind = type(value)
        if kind is str:
            if len(value) > STRING_MAX:
                return False
        elif kind not in _SCALARS:
            return False
    return True


def _fields(record: logging.LogRecord) -> Any:
    """Return what the caller gave as `extra`: `{"fields": {…}}`, or names of its own, which become fields as well."""
    given = record.__dict__
    fields = given.get("fields")
    if len(given) <= len(_BLANK) + ("fields" in given):
        return fields
    others = {name: value for name, value in given.items() if name not in _ORDINARY}
    if fields is None or not others:
        return others or fields
    return {**fields, **others} if type(fields) is dict else {"fields": fields, **others}


def line_from(record: logging.LogRecord, service: str, collapsed: int = 0) -> bytes:
    """Return the entry for a log record as one line of JSON: see `servicekit.entries.build`."""
    return _line(_raw(record, _fields(record), request_id.get()), service, record.levelno, collapsed)


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


def light_record(
    name: str, level: int, path: str, line: int, message: Any, args: Any, exc_info: Any, *place: Any, **more: Any
) -> logging.LogRecord:
    """Return what logging.LogRecord would, at half of the cost where nothing is known of the place of the call."""
    if path != _NOWHERE or (len(args) == 1 and isinstance(args[0], Mapping)):
        return logging.LogRecord(name, level, path, line, message, args, exc_info, *place, **more)
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = values = _BLANK.copy()
    values["name"] = name
    values["levelno"] = level
    values["levelname"] = logging.getLevelName(level)
    values["msg"] = message
    values["args"] = args
    values["exc_info"] = exc_info
    values["created"] = created = time.time()
    values["msecs"] = created % 1 * 1000 // 1
    values["relativeCreated"] = (created - _BEGUN) * 1000
    return record


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
    logging.setLogRecordFactory(light_record)
    logging._srcfile = None  # noqa: SLF001  # as Python's logging HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
