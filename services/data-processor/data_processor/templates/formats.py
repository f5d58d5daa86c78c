"""Expected formats: regular expressions of RE2, whose time grows with the text alone, whatever the expression."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

FORMAT_MAX = 500
"""Longest expression, in characters."""

_REPEATS = "the most repetitions are 1000, those of nested ones multiplied"
# RE2 takes the braces around a very large number for text.
_HUGE = re.compile(r"\{[0-9,]*[0-9]{8}[0-9,]*\}")
_WHY = (
    (r"invalid perl operator: \(\?<?[=!]", "look-ahead and look-behind are not supported"),
    (r"invalid perl operator: \(\?P", "back-references to a group by its name are not supported"),
    (r"invalid perl operator: \(\?>", "atomic groups are not supported"),
    (r"invalid perl operator: \(\?#", "comments are not supported"),
    (r"invalid perl operator: \(\?\(", "conditions are not supported"),
    (r"invalid escape sequence: \\[1-9]", "back-references are not supported"),
    (r"invalid escape sequence: \\Z", r"\Z is not supported: formats match the whole text without it"),
    (r"bad repetition operator: .\+", "possessive repetition is not supported"),
    (r"invalid repetition size", _REPEATS),
    (r"pattern too large|out of memory", "the expression is too large"),
)


class FormatError(ValueError):
    """The expression cannot be used; the message says why."""


def check(pattern: str) -> None:
    """Raise FormatError if the expression cannot be used."""
    _compiled(pattern)


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole text matches. Raises FormatError."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    if _HUGE.search(pattern):
        raise FormatError(_REPEATS)
    options = re2.Options()
    # RE2 would write to standard error.
    options.log_errors = False
    options.max_mem = 1024**2
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise FormatError(_reason(error)) from None


def _reason(error: Exception) -> str:
    raw = error.args[0] if error.args else ""
    said = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    plain = next((why for pattern, why in _WHY if re.search(pattern, said)), None)
    return f"{plain} ({said[:100]})" if plain else said[:200]
