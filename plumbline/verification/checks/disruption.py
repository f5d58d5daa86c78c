"""Checks that disturb the users of a stack carry the marker `disrupt`. The others cannot: what disturbs asks here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis

from plumbline.errors import NotGivenError
from plumbline.targets.base import Target

MARKER = "disrupt"

_CHANGES = frozenset({"begin", "run", "down", "remove", "start", "stop", "kill"})
"""The methods of a target that take parts of a stack away from its users."""
_READS = frozenset({
    "ACL", "CLIENT", "CONFIG", "EXISTS", "GET", "HELLO", "HGET", "HGETALL", "INFO", "KEYS", "PING", "PUBSUB", "SCAN",
    "SELECT", "SUBSCRIBE", "TTL", "TYPE", "UNSUBSCRIBE", "XINFO", "XLEN", "XRANGE", "XREAD", "XREVRANGE",
})  # fmt: skip


class UnmarkedError(AssertionError):
    """A check without the marker does something that disturbs a stack's users."""


class _State:
    """The check that runs on a stack, whether it is marked, and whether marked ones may disturb that stack."""

    check: str | None = None
    marked = False
    allowed = False


def allow(*, yes: bool) -> None:
    """Say whether marked checks may disturb the stack."""
    _State.allowed = yes


@contextmanager
def running(check: str, *, marked: bool) -> Iterator[None]:
    """Say which check runs for as long as the context lasts, with the fixtures that are made for it."""
    _State.check, _State.marked = check, marked
    try:
        yield
    finally:
        _State.check = None


def disturbs(what: str) -> None:
    """Say that the running check is about to do `what`. Raises UnmarkedError or, on a stack in use, NotGivenError."""
    if _State.check is None:
        return
    if not _State.marked:
        raise UnmarkedError(f"{_State.check} {what}, which disturbs a stack in use: mark it with @pytest.mark.{MARKER}")
    refuse_in_use()


def refuse_in_use() -> None:
    """Raise NotGivenError on a stack that no check may disturb."""
    if not _State.allowed:
        raise NotGivenError("would disturb the stack in use; add --disrupt")


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
