"""Compares what a manifest says with what it has to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def differences(where: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each key whose value is another one, missing, or not wanted at all."""
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            yield f"{where}: {key} is {_shown(found, key)}, and has to be {_shown(wanted, key)}"


def of(found: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `found` that `keys` are about, for a comparison that leaves the rest free."""
    return {key: found[key] for key in keys if key in found}


def _shown(values: Mapping[str, Any], key: str) -> str:
    return repr(values[key]) if values.get(key) is not None else "absent"
