"""What a log record becomes: one line of JSON, at once or when somebody wants it."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from servicekit import entries
from servicekit.bounds import STRING_MAX, WIDTH_MAX, text_of
from servicekit.context import request_id
from servicekit.entries import EXCEPTION_MAX, MESSAGE_MAX
from servicekit.forwarder import Line

_FORMATTER = logging.Formatter()
_NO_FIELDS: dict[str, Any] = {}
_SCALARS = frozenset((int, float, bool, type(None)))
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"fields", "message", "asctime"}
"""What every record has, and what formatters leave on it."""


def line_from(record: logging.LogRecord, service: str, collapsed: int = 0) -> bytes:
    """Return the entry for a log record as one line of JSON: see `servicekit.entries.build`."""
    return _line(_raw(record, _fields(record), request_id.get()), service, record.levelno, collapsed)


def later_line_from(record: logging.LogRecord, service: str) -> Line:
    """Return what makes a record's line when it is called, and keeps no record; the line itself, if it is much."""
    fields = _fields(record)
    if fields is None:
        fields = _NO_FIELDS
    elif type(fields) is not dict or not _are_small((*fields, *fields.values())):
        return line_from(record, service)
    return partial(_line, _raw(record, fields.copy(), request_id.get()), service, record.levelno)


def later_line(service: str, name: str, level: int, created: float, message: Any, args: Any, extra: Any) -> Line | None:
    """Return what makes the line of a record that nobody made; None, if only a record can tell what it would say.

    What is kept until then is little, and nobody else's to change.
    """
    fields = _NO_FIELDS
    if extra is not None:
        if type(extra) is not dict or len(extra) != 1 or type(extra.get("fields")) is not dict:
            return None
        fields = extra["fields"].copy()
    if not _are_small((message, *args, *fields, *fields.values())):
        return None
    return partial(_line_later, service, name, level, created, message, args, fields, request_id.get())


def warning_line(service: str, logger: str, created: float, message: str) -> bytes:
    """Return the line of a warning that logging itself has no part in."""
    return _line({"ts": created, "logger": logger, "message": message}, service, logging.WARNING)


def _line_later(service: str, name: str, level: int, created: float, message: Any, args: Any, *known: Any) -> bytes:
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
    others = {name: value for name, value in given.items() if name not in _ORDINARY}
    if fields is None or not others:
        return others or fields
    return {**fields, **others} if type(fields) is dict else {"fields": fields, **others}


def _line(raw: dict[str, Any], service: str, level: int, collapsed: int = 0) -> bytes:
    return entries.build(raw, service, level_of(level), collapsed) + b"\n"


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
