"""What a log record becomes: one line of JSON, at once or when somebody wants it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from servicekit.context import request_id
from servicekit.log import entries
from servicekit.log.bounds import STRING_MAX, WIDTH_MAX, text_of
from servicekit.log.entries import EXCEPTION_MAX, MESSAGE_MAX
from servicekit.log.forwarder import Line

_FORMATTER = logging.Formatter()
_NO_FIELDS: dict[str, Any] = {}
_SCALARS = frozenset((int, float, bool, type(None)))
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"fields", "message", "asctime", "counted_as"}
"""What every record has, what formatters leave on it, and what `servicekit.log.faults` adds."""


def line_from(record: logging.LogRecord, service: str, collapsed: int = 0) -> bytes:
    """Return the entry for a log record as one line of JSON: see `servicekit.log.entries.build`."""
    raw = _raw(record, _fields(record), request_id.get(), _exception(record))
    return _line(raw, service, level_of(record.levelno), collapsed)


def later_line_from(record: logging.LogRecord, service: str) -> Line:
    """Return what makes a record's line, and keeps no record; the line itself, if it is much."""
    message, fields = _message(record), _fields(record)
    kept = kept_fields(message, (), None if fields is None else {"fields": fields})
    if kept is None:
        return line_from(record, service)
    maker = line_maker(service, level_of(record.levelno), record.name)
    return maker, record.created, message, (), kept, request_id.get(), _exception(record)


def kept_fields(message: object, args: tuple[object, ...], extra: Any) -> dict[str, Any] | None:
    """Return the fields of a call, to be kept until a line is made of it: then nobody changes what it would say.

    None, if somebody could, if it is much to keep, or if only a record can tell what it would say.
    """
    if extra is None:
        fields = _NO_FIELDS
    elif len(extra) == 1 and "fields" in extra:
        fields = extra["fields"]
    elif _ORDINARY.isdisjoint(extra):
        fields = extra
    else:
        return None
    if type(message) is not str or type(fields) is not dict or len(args) + len(fields) > WIDTH_MAX:
        return None
    # Written out twice: a call, or a tuple of all of them, is a good part of what a warning costs in a flood.
    room = STRING_MAX - len(message)
    for value in args:
        if type(value) is str:
            room -= len(value)
        elif type(value) not in _SCALARS:
            return None
    for key, value in fields.items():
        if type(key) is not str:
            return None
        room -= len(key)
        if type(value) is str:
            room -= len(value)
        elif type(value) not in _SCALARS:
            return None
    return fields.copy() if room >= 0 else None


def line_maker(service: str, level: str, name: str) -> Callable[..., bytes]:
    """Return what makes a line of what one call of a logger said: when, message, arguments, fields, request id."""
    return functools.partial(_line_later, service, level, name)


def warning_line(service: str, logger: str, created: float, message: str) -> bytes:
    """Return the line of a warning that logging itself has no part in."""
    return _line({"ts": created, "logger": logger, "message": message}, service, level_of(logging.WARNING))


def _line_later(
    service: str,
    level: str,
    name: str,
    created: float,
    message: str,
    args: tuple[Any, ...],
    fields: dict[str, Any],
    own_id: str | None,
    exception: str | None = None,
) -> bytes:
    record = logging.makeLogRecord({"created": created, "name": name, "msg": message, "args": args})
    return _line(_raw(record, fields, own_id, exception), service, level)


def _fields(record: logging.LogRecord) -> Any:
    """Return what the caller gave as `extra`: `{"fields": {…}}`, or names of its own, which become fields as well."""
    given = record.__dict__
    fields = given.get("fields")
    others = {name: value for name, value in given.items() if name not in _ORDINARY}
    if fields is None or not others:
        return others or fields
    return {**fields, **others} if type(fields) is dict else {"fields": fields, **others}


def _line(raw: dict[str, Any], service: str, level: str, collapsed: int = 0) -> bytes:
    return entries.build(raw, service, level, collapsed) + b"\n"


def _raw(record: logging.LogRecord, fields: Any, own_id: str | None, exception: str | None) -> dict[str, Any]:
    return {
        "ts": record.created,
        "logger": record.name,
        # More than is looked at where the text is made safe, so that the cut is seen there.
        "message": _message(record)[: 2 * MESSAGE_MAX + 1],
        "request_id": own_id,
        "fields": fields,
        "exception": exception,
    }


def _exception(record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[0] is None:
        return None
    text = _FORMATTER.formatException(record.exc_info)
    # More than is looked at of either end, as above.
    if len(text) <= 4 * EXCEPTION_MAX:
        return text
    # From a line's beginning on: the rest of a secret does not look like one.
    return text[:EXCEPTION_MAX] + "\n" + text[-3 * EXCEPTION_MAX :].partition("\n")[2]


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
