"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import atexit
import logging
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson

from servicekit.context import request_id
from servicekit.facts import ENTRY_MAX_BYTES
from servicekit.forwarder import Forwarder

_TEXT_MAX = ENTRY_MAX_BYTES // 4
_FIELDS_DEPTH = 6
_FIELDS_WIDTH = 50
_FIELDS_TEXT_MAX = 1000
_KEY_MAX = 100
_CUT = "…"


class JsonHandler(logging.Handler):
    """Writes each record as one JSON line to standard error and offers warnings and worse to the forwarder."""

    def __init__(self, service: str, forwarder: Forwarder | None) -> None:
        super().__init__()
        self._service = service
        self._forwarder = forwarder

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one record; a record that cannot be rendered is reported by logging's own error hook, never raised."""
        try:
            line = orjson.dumps(entry_from(record, self._service), option=orjson.OPT_APPEND_NEWLINE)
            if self._forwarder is not None and record.levelno >= logging.WARNING:
                self._forwarder.offer(_level(record.levelno), line)
            sys.stderr.write(line.decode())
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def entry_from(record: logging.LogRecord, service: str) -> dict[str, Any]:
    """Return the entry for a log record: ts, level, service, logger, message, request_id, exception, fields."""
    exception = None
    if record.exc_info and record.exc_info[0] is not None:
        exception = logging.Formatter().formatException(record.exc_info)
    # The end of a traceback names the error and where it was raised, so that end is what survives the cut.
    return {
        "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": _level(record.levelno),
        "service": service,
        "logger": _text(record.name, 200),
        "message": _text(_message(record), _TEXT_MAX),
        "request_id": request_id.get(),
        "exception": None if exception is None else _clean(exception[-_TEXT_MAX:]),
        "fields": plain(getattr(record, "fields", {})),
    }


def plain(value: Any) -> Any:
    """Return `value` as bounded plain JSON data, whatever it is: deep, wide, cyclic or of a foreign type."""
    return _Plain().of(value, _FIELDS_DEPTH)


class _Plain:
    """One pass over one value. What is left of `_room` (characters) bounds the whole, however often parts recur."""

    def __init__(self) -> None:
        self._room = _TEXT_MAX

    def of(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            self._room -= 8
            return _number(value)
        if isinstance(value, str):
            return self._take(value, _FIELDS_TEXT_MAX)
        if isinstance(value, dict | list | tuple | set | frozenset):
            self._room -= 2
            return self._container(value, depth) if depth else _CUT
        return self._take(_str(value), _FIELDS_TEXT_MAX)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            result: dict[str, Any] = {}
            for key, item in islice(value.items(), _FIELDS_WIDTH):
                if self._room <= 0:
                    break
                name = self._take(_str(key), _KEY_MAX)
                result[name] = self.of(item, depth - 1)
            return result
        items = []
        for item in islice(value, _FIELDS_WIDTH):
            if self._room <= 0:
                break
            items.append(self.of(item, depth - 1))
        return items

    def _take(self, text: str, limit: int) -> str:
        text = _text(text, min(limit, max(self._room, 1)))
        self._room -= len(text) + 2
        return text


def _number(value: float | None) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Browsers read numbers as doubles: a larger one would change on the way.
        return int(value) if abs(value) < 2**53 else _str(value)
    return float(value)


def _str(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # A mistake in a logging call must not cost the entry, which may be about something far worse.
        return f"{_str(record.msg)} (arguments could not be put in: {error.__class__.__name__})"


def _text(text: str, limit: int) -> str:
    return _clean(text if len(text) <= limit else text[: limit - 1] + _CUT)


def _clean(text: str) -> str:
    # Lone surrogates are legal in Python strings and in no encoding.
    return text.encode("utf-8", "replace").decode("utf-8")


def _level(number: int) -> str:
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
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
