"""Compares the API that a stack describes in OpenAPI with the declared one, `docs/generated/openapi-*.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from plumbline import ROOT

PATHS = {"backend": "/openapi.json", "data-processor": "/data-processor/openapi.json"}
DECLARED = {service: ROOT / "docs" / "generated" / f"openapi-{service}.json" for service in PATHS}
_WORDS = ("description", "summary", "title")


def declared() -> dict[str, Any]:
    """Return the declared description of each service of `PATHS`, without its texts."""
    return {service: without_words(json.loads(path.read_text("utf-8"))) for service, path in DECLARED.items()}


def without_words(described: Any) -> Any:
    """Return a description without its texts for people. Parameters are keyed by name instead of listed."""
    if isinstance(described, dict):
        return {
            key: without_words(value)
            for key, value in described.items()
            # A field or a parameter may have such a name, too; its description is no text.
            if not (key in _WORDS and isinstance(value, str))
        }
    if isinstance(described, list):
        if all(isinstance(one, dict) and "in" in one for one in described):
            return {f"{one['in']} {one['name']}": without_words(one) for one in described}
        return [without_words(one) for one in described]
    return described


def differences(expected: Any, found: Any, *place: str) -> Iterator[str]:
    """Yield each difference between two descriptions, with its place."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*expected, *found]):
            if key not in found:
                yield f"{_at(*place, key)} is missing: expected {_short(expected[key])}"
            elif key not in expected:
                yield f"{_at(*place, key)} is not declared: found {_short(found[key])}"
            else:
                yield from differences(expected[key], found[key], *place, key)
    elif expected != found:
        yield f"{_at(*place)}: expected {_short(expected)}, found {_short(found)}"


def _at(service: str, *place: str) -> str:
    return f"{service}: {' > '.join(place)}" if place else service


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:120]} …"
