"""Parses arriving lines, and builds the safe entries that are stored."""

from __future__ import annotations

import json
from typing import Any

import orjson
from servicekit.log import entries

from log_sink import caddy


def parse(line: bytes) -> Any:
    """Return the line's JSON value, or None if it is no JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    # Tolerate broken UTF-8, raw control characters and lone surrogates. They are rare, so this may be slow.
    try:
        return json.loads(line.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def build(raw: dict[str, Any], service: str, level: str) -> bytes:
    """Return the entry as `servicekit.log.entries.build` does; `raw` is in the recorder's format or in Caddy's.

    Services send clean entries, but the sink does not rely on that.
    """
    return entries.build(caddy.translate(raw) if caddy.is_caddys(raw) else raw, service, level)
