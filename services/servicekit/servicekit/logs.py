"""Structured logging: JSON lines on standard error; warnings and worse handed to Caddy without waiting for it."""

from __future__ import annotations

import atexit
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from servicekit.context import request_id
from servicekit.facts import ENTRY_MAX_BYTES
from servicekit.forwarder import Forwarder

_TEXT_MAX = ENTRY_MAX_BYTES // 4
_FIELDS_DEPTH = 6
_FIELDS_WIDTH = 50


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
        "message": _text(record.getMessage(), _TEXT_MAX),
        "request_id": request_id.get(),
        "exception": None if exception is None else _clean(exception[-_TEXT_MAX:]),
        "fields": plain(getattr(record, "fields", {})),
    }


def plain(value: Any, depth: int = _FIELDS_DEPTH) -> Any:
    """Return `value` as bounded plain JSON data, whatever it is: deep, wide, cyclic or of a foreign type."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, str):
        return _text(value, 1000)
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        items = list(value.items())[:_FIELDS_WIDTH]
        return {_text(str(key), 100): plain(item, depth - 1) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth - 1) for item in list(value)[:_FIELDS_WIDTH]]
    try:
        return _text(str(value), 1000)
    except Exception:
        return f"<{type(value).__name__}>"


def _text(text: str, limit: int) -> str:
    return _clean(text if len(text) <= limit else text[: limit - 1] + "…")


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
