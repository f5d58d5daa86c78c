"""What the running check waits for, so that its progress can be shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_reasons: list[str] = []


@contextmanager
def on(what: str) -> Iterator[None]:
    """Say that the check waits for `what` within the context."""
    _reasons.append(what)
    try:
        yield
    finally:
        _reasons.remove(what)


def reason() -> str:
    """Return what is waited for at the moment; empty if nothing is known."""
    return _reasons[-1] if _reasons else ""
