"""Finds characters that no text of an entry may contain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_unsafe(text: str) -> bool:
    """Return whether a text could affect the page or terminal that shows it."""
    return _UNSAFE.search(text) is not None


def unsafe_texts(value: Any) -> list[str]:
    """Return every unsafe text in JSON data, including names."""
    return [text for text in _texts(value) if is_unsafe(text)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
