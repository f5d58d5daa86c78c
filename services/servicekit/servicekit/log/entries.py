"""Builds safe entries: `ts, level, service, logger, message, request_id, exception, fields`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from servicekit.facts import ENTRY_MAX_BYTES
from servicekit.log.bounds import CUT, Bounded, safe_text
from servicekit.log.redact import redact

# Space for what is added later: `"id":"1763845137000-1234567890"`, the id that it replaces, a fault's kind and count.
_ROOM_FOR_ID = 320
SIZE_MAX = ENTRY_MAX_BYTES - _ROOM_FOR_ID
MESSAGE_MAX = 8192
EXCEPTION_MAX = 12288
_LOGGER_MAX = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def build(raw: dict[str, Any], service: str, level: str) -> bytes:
    """Return the entry as one line of JSON of at most `SIZE_MAX` bytes, without secrets and control characters.

    `raw` is plain JSON data in the entry's form; any part may be missing. `service` and `level` are used unchanged.
    An entry that was cut, here or before, is marked `"truncated": true`.
    """
    bounded = Bounded()
    fields = raw.get("fields")
    plain = bounded.value({} if fields is None else fields)
    if not isinstance(plain, dict):
        plain = {"value": plain}
    message, message_cut = safe_text(_string(raw.get("message")), MESSAGE_MAX)
    exception, exception_cut = None, False
    if raw.get("exception") is not None:
        exception, exception_cut = safe_text(_string(raw["exception"]), EXCEPTION_MAX, keep_end=True)
    request_id = raw.get("request_id")
    entry: dict[str, Any] = {
        "ts": _timestamp(raw.get("ts")),
        "level": level,
        "service": service,
        "logger": _logger(_string(raw.get("logger"))[:_LOGGER_MAX]),
        "message": message or "(no message)",
        "request_id": request_id if _is_request_id(request_id) else None,
        "exception": exception,
        "fields": plain,
    }
    if bounded.truncated or message_cut or exception_cut or raw.get("truncated") is True:
        entry["truncated"] = True
    return _fit(entry)


@lru_cache(256)
def _logger(name: str) -> str:
    # There are few names, so the cleaned ones are cached.
    return safe_text(name, _LOGGER_MAX)[0]


def _is_request_id(value: Any) -> bool:
    return isinstance(value, str) and _REQUEST_ID.fullmatch(value) is not None and redact(value) == value


def _fit(entry: dict[str, Any]) -> bytes:
    line = orjson.dumps(entry)
    limit = MESSAGE_MAX
    while len(line) > SIZE_MAX:
        # Halve the largest part, so that a huge field does not shorten the message, nor a huge message the fields.
        entry["truncated"] = True
        sizes = {name: len(orjson.dumps(entry[name])) for name in ("message", "exception", "fields")}
        largest = max(sizes, key=lambda name: sizes[name])
        if largest == "fields":
            limit //= 2
            entry["fields"] = shorten(entry["fields"], limit)
        elif largest == "exception":
            entry["exception"] = safe_text(entry["exception"], len(entry["exception"]) // 2, keep_end=True)[0]
        else:
            entry["message"] = entry["message"][: len(entry["message"]) // 2] + CUT
        line = orjson.dumps(entry)
    return line


def shorten(value: Any, limit: int) -> Any:
    """Return `value` with texts of at most `limit` characters and lists and mappings of at most `limit // 32` items."""
    if isinstance(value, str):
        return value if len(value) <= limit else value[: max(limit - 1, 0)] + CUT
    if isinstance(value, dict):
        return {key: shorten(item, limit) for key, item in list(value.items())[: limit // 32]}
    if isinstance(value, list):
        return [shorten(item, limit) for item in value[: limit // 32]]
    return value


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _timestamp(value: Any) -> str:
    """Return UTC with milliseconds, from seconds since 1970 (Caddy) or ISO 8601 (services); otherwise now."""
    moment = None
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            moment = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
