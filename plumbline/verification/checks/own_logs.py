"""Reads the components' own logs."""

from __future__ import annotations

import json
from typing import Any

from plumbline.targets.base import Target

_LINES = 5000


def lines_about(target: Target, component: str, request_id: str) -> list[dict[str, Any]]:
    """Return the entries of a component's own log about a request."""
    lines = [line for line in target.log_tail(component, _LINES) if request_id in line]
    return [json.loads(line[line.index("{") :]) for line in lines if "{" in line and line.endswith("}")]


def caddys_line(target: Target, request_id: str) -> dict[str, Any]:
    """Return Caddy's entry about a handled request; empty if there is none yet."""
    return next((one for one in lines_about(target, "caddy", request_id) if "status" in one), {})
