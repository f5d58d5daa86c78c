"""Reads one line of JSON, forgiving what can be forgiven."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse(line: bytes) -> Any:
    """Return what the line holds, or None if it holds no JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    # Broken UTF-8, raw control characters and lone surrogates spoil a word, not the entry. Seldom, hence slowly.
    try:
        return json.loads(line.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
