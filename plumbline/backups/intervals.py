"""The time between two regular backups, such as 6h."""

from __future__ import annotations

import re

NEVER = "never"
_INTERVAL = re.compile(r"([1-9]\d{0,3})(m|h|d)")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_SHORTEST_MIN = 10


def interval(text: str) -> str:
    """Return an interval such as 6h, or `never`. Raises ValueError for others, and for less than ten minutes."""
    if text != NEVER and minutes(text) < _SHORTEST_MIN:
        raise ValueError(text)
    return text


def minutes(text: str) -> int:
    """Return the minutes of an interval. Raises ValueError for other texts."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return int(found[1]) * _MINUTES[found[2]]
