"""docs/generated/openapi-*.json: what each service says of itself. The docs show them, and checks compare a stack."""

from __future__ import annotations

import json
from typing import Any

from plumbline.verification.introspection import facts

_WIDTH = 120


def of(service: str) -> str:
    """Return the description of a service as JSON, a line for each part that fits into one."""
    return text(facts.services()[service].openapi)


def text(value: Any, depth: int = 0) -> str:
    """Return a value as JSON whose differences are easy to read."""
    line = json.dumps(value, ensure_ascii=False)
    end = "" if depth else "\n"
    if len(line) + depth <= _WIDTH or not isinstance(value, dict):
        return line + end
    inner = " " * (depth + 1)
    parts = [f"{inner}{json.dumps(key)}: {text(one, depth + 1)}" for key, one in value.items()]
    return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}" + end
