"""docs/generated/openapi.json: the API of both services, without texts, with which checks compare a stack."""

from __future__ import annotations

import json
from typing import Any

from plumbline.verification.checks import api
from plumbline.verification.introspection import facts

_WIDTH = 120


def file() -> str:
    """Return the descriptions of both services as JSON, a line for each part that fits into one."""
    described = {name: api.without_words(facts.services()[name].openapi) for name in api.PATHS}
    return _text(described, 0) + "\n"


def _text(value: Any, depth: int) -> str:
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(line) + depth <= _WIDTH or not isinstance(value, dict):
        return line
    inner = " " * (depth + 1)
    parts = [f"{inner}{json.dumps(key)}: {_text(value[key], depth + 1)}" for key in sorted(value)]
    return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}"
