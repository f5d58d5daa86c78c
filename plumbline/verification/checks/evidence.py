"""What the running check has looked at, counted by the helpers: rows, frames, answers, lengths of the stream."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Found:
    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.facts: dict[str, int] = {}


_lock = threading.Lock()
_found: _Found | None = None


@contextmanager
def collected() -> Iterator[None]:
    """Collect the evidence of the check that runs within the context, from all of its threads."""
    global _found  # one check runs at a time in a process
    outer, _found = _found, _Found()
    try:
        yield
    finally:
        _found = outer


def count(what: str, kind: str, number: int = 1) -> None:
    """Count rows of a table, frames of a type, answers with a status."""
    with _lock:
        if _found is not None and number:
            _found.counts.setdefault(what, Counter())[kind] += number


def note(what: str, number: int) -> None:
    """Note a figure, such as the longest length of the stream; the highest one of a check is kept."""
    with _lock:
        if _found is not None:
            _found.facts[what] = max(number, _found.facts.get(what, 0))


def found() -> dict[str, Any]:
    """Return the evidence so far: counts by kind, and figures."""
    with _lock:
        if _found is None:
            return {}
        return {**{what: dict(kinds) for what, kinds in _found.counts.items()}, **_found.facts}
