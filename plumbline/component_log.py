"""A component's own log, for a terminal: entries as lines with their time, other lines as they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from plumbline import recorder

_EVERY_S = 0.5
_LINES = 100
_LINES_MAX = 2000
"""Lines that may be written between two looks while a log is followed."""


def last_lines(tail: Callable[[int], list[str]], columns: int | None, *, raw: bool = False) -> Iterator[str]:
    """Yield the last lines, readable for a terminal of that width, or as they are. `tail(n)` returns the last n."""
    for line in tail(_LINES):
        yield line if raw else readable(line, columns)


def follow(tail: Callable[[int], list[str]], columns: int | None, *, raw: bool = False) -> Iterator[str]:
    """Yield the last lines, then new ones, for ever. See `last_lines`."""
    seen = tail(_LINES)
    shown = seen
    while True:
        for line in shown:
            yield line if raw else readable(line, columns)
        time.sleep(_EVERY_S)
        now = tail(_LINES_MAX)
        shown, seen = _after(seen, now), now


def _after(seen: list[str], now: list[str]) -> list[str]:
    """Return the lines of `now` after the last one that was seen before it was read."""
    for count in range(len(now), 0, -1):
        end = min(count, len(seen))
        if end and now[count - end : count] == seen[-end:]:
            return now[count:]
    return now


def readable(line: str, columns: int | None = None) -> str:
    """Return an entry of a service or of Caddy as `logs` shows it, and any other line as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    try:
        return recorder.line(_of_caddy(entry) if "msg" in entry else entry, columns)
    except (KeyError, TypeError, ValueError, OverflowError):
        return line


def _of_caddy(entry: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(float(entry["ts"]), UTC).isoformat(timespec="milliseconds")
    others = {key: value for key, value in entry.items() if key not in ("level", "ts", "logger", "msg")}
    rest = f" {json.dumps(others, ensure_ascii=False)}" if others else ""
    level = {"warn": "warning"}.get(entry["level"], entry["level"])
    return {"ts": moment, "level": level, "service": entry.get("logger", "caddy"), "message": f"{entry['msg']}{rest}"}
