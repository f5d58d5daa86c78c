"""From whatever arrived to one safe entry. What services send is clean already; nobody can rely on that here."""

from __future__ import annotations

from typing import Any

from servicekit.log import entries

from log_sink import caddy


def build(raw: dict[str, Any], service: str, level: str, collapsed: int = 0) -> bytes:
    """Return the entry as `servicekit.log.entries.build` does; `raw` is one in our own form or one of Caddy's."""
    return entries.build(caddy.translate(raw) if caddy.is_caddys(raw) else raw, service, level, collapsed)
