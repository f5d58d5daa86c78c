"""Renders a log record as one line of JSON."""

from __future__ import annotations

import logging
from typing import Any

from servicekit.context import request_id
from servicekit.log import entries
from servicekit.log.bounds import STRING_MAX, WIDTH_MAX, text_of
from servicekit.log.entries import EXCEPTION_MAX, MESSAGE_MAX

_FORMATTER = logging.Formatter()
_UNCHANGEABLE = frozenset((str, int, float, bool, type(None)))
_NOT_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"fields", "message", "asctime", "counted_as"}
"""Attributes of every record, and those that formatters and `faults.py` add."""


def line_from(record: logging.LogRecord, service: str) -> bytes:
    """Return the entry for a log record as one line of JSON, with its line end."""
    return render(raw_entry(record), service, level_of(record.levelno))


def render(raw: dict[str, Any], service: str, level: str) -> bytes:
    """Return the line of a raw entry."""
    return entries.build(raw, service, level) + b"\n"


def raw_entry(record: logging.LogRecord) -> dict[str, Any]:
    """Return the input of `entries.build`. Only values of `fields` may still change: see `may_wait`."""
    return {
        "ts": record.created,
        "logger": record.name,
        # Longer than the limit of `entries.build`, so that it notices and marks the cut.
        "message": _message(record)[: 2 * MESSAGE_MAX + 1],
        "request_id": request_id.get(),
        "fields": _fields(record),
        "exception": _exception(record),
    }


def may_wait(raw: dict[str, Any]) -> bool:
    """Return whether a raw entry can be rendered later: its fields are few, short, and of types that cannot change."""
    fields = raw["fields"]
    if type(fields) is not dict or len(fields) > WIDTH_MAX:
        return False
    for key, value in fields.items():
        if type(key) is not str or type(value) not in _UNCHANGEABLE:
            return False
        if type(value) is str and len(value) > STRING_MAX:
            return False
    return True


def _fields(record: logging.LogRecord) -> Any:
    """Return what the caller passed as `extra`: `{"fields": {…}}`, or other names, which become fields as well."""
    given = record.__dict__
    fields = given.get("fields")
    others = {name: value for name, value in given.items() if name not in _NOT_FIELDS}
    if fields is None or type(fields) is dict:
        return {**(fields or {}), **others}
    return {"fields": fields, **others} if others else fields


def _exception(record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[0] is None:
        return None
    text = _FORMATTER.formatException(record.exc_info)
    # Longer than the limit at both ends, as above.
    if len(text) <= 4 * EXCEPTION_MAX:
        return text
    # The end starts at the beginning of a line: a part of a secret would not be recognised.
    return text[:EXCEPTION_MAX] + "\n" + text[-3 * EXCEPTION_MAX :].partition("\n")[2]


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # A mistake in a logging call must not lose the entry, which may report a worse problem.
        return f"{text_of(record.msg)} (arguments could not be formatted: {error.__class__.__name__})"


def level_of(number: int) -> str:
    """Return the recorder's name of a level."""
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
