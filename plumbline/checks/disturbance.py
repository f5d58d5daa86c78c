"""Checks that disturb the users of a stack carry the marker `disrupt`. The others cannot: what disturbs asks here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis

from plumbline.targets.base import Target

MARKER = "disrupt"
NOT_ALLOWED = "would disturb the stack in use; add --disrupt"

_CHANGES = frozenset({"begin", "run", "down", "remove", "start", "stop", "kill"})
"""The methods of a target that take parts of a stack away from its users."""
_READS = frozenset({
    "ACL", "CLIENT", "CONFIG", "EXISTS", "GET", "HELLO", "HGET", "HGETALL", "INFO", "KEYS", "PING", "PUBSUB", "SCAN",
    "SELECT", "SUBSCRIBE", "TTL", "TYPE", "UNSUBSCRIBE", "XINFO", "XLEN", "XRANGE", "XREAD", "XREVRANGE",
})  # fmt: skip

_unmarked: str | None = None


class UnmarkedError(AssertionError):
    """A check without the marker does something that disturbs a stack's users."""


@contextmanager
def unmarked(check: str) -> Iterator[None]:
    """Refuse all that disturbs for as long as `check` runs, which does not carry the marker."""
    global _unmarked  # one check runs at a time
    _unmarked = check
    try:
        yield
    finally:
        _unmarked = None


def disturbs(what: str) -> None:
    """Say that the running check is about to do `what`. Raises UnmarkedError if it does not carry the marker."""
    if _unmarked is not None:
        raise UnmarkedError(f"{_unmarked} {what}, which disturbs a stack in use: mark it with @pytest.mark.{MARKER}")


class _Guarded:
    """A target whose parts are stopped and started by marked checks alone."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name not in _CHANGES:
            return method

        def checked(*arguments: Any) -> Any:
            disturbs(f"calls {name}({', '.join(map(str, arguments))})")
            return method(*arguments)

        return checked


def guarded(target: Target) -> Target:
    """Return `target` for the use of checks."""
    return cast(Target, _Guarded(target))


class ReadingRedis(redis.Redis):
    """A connection to a stack's Redis that only marked checks can write over."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Run a command."""
        name = str(arguments[0]).split()[0].upper()
        if name not in _READS:
            disturbs(f"sends {name} to Redis")
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
