"""Allows disruptive actions only in checks with the marker `disrupt`, and on a stack in use only if permitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis

from plumbline.errors import NotGivenError
from plumbline.targets.base import Target
from plumbline.verification import waiting
from plumbline.verification.checks import evidence

MARKER = "disrupt"

_CHANGES = frozenset({"begin", "run", "down", "remove", "start", "stop", "kill", "kill_process"})
"""The methods of a target that disrupt a stack."""
_READS = frozenset({
    "ACL", "CLIENT", "CONFIG", "EXISTS", "GET", "HELLO", "HGET", "HGETALL", "INFO", "KEYS", "PING", "PUBSUB", "SCAN",
    "SELECT", "SUBSCRIBE", "TTL", "TYPE", "UNSUBSCRIBE", "XINFO", "XLEN", "XRANGE", "XREAD", "XREVRANGE",
})  # fmt: skip


class UnmarkedError(AssertionError):
    """A check without the marker does something disruptive."""


class _State:
    """The running check, whether it is marked, and whether marked checks may disrupt the stack."""

    check: str | None = None
    marked = False
    allowed = False


def allow(*, yes: bool) -> None:
    """Set whether marked checks may disrupt the stack."""
    _State.allowed = yes


@contextmanager
def running(check: str, *, marked: bool) -> Iterator[None]:
    """Register the check that runs within the context, including its fixtures."""
    _State.check, _State.marked = check, marked
    try:
        yield
    finally:
        _State.check = None


def permit(what: str) -> None:
    """Permit the running check to do `what`. Raises UnmarkedError or, on a stack in use, NotGivenError."""
    if _State.check is None:
        return
    if not _State.marked:
        raise UnmarkedError(f"{_State.check} {what}, which disrupts a stack in use: mark it with @pytest.mark.{MARKER}")
    refuse_in_use()


def refuse_in_use() -> None:
    """Raise NotGivenError if no check may disrupt the stack."""
    if not _State.allowed:
        raise NotGivenError("would disrupt the stack in use; add --disrupt")


class _Guarded:
    """A target whose components only marked checks can start and stop."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name not in _CHANGES:
            return method

        def checked(*arguments: Any) -> Any:
            call = f"{name}({', '.join(map(str, arguments))})"
            permit(f"calls {call}")
            with waiting.on(f"{call} of the {self._target.name} stack"):
                return method(*arguments)

        return checked


def guard(target: Target) -> Target:
    """Return a wrapper of `target` for checks."""
    return cast(Target, _Guarded(target))


class GuardedRedis(redis.Redis):
    """A connection to a stack's Redis over which only marked checks can write."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Run a command."""
        name = str(arguments[0]).split()[0].upper()
        if name not in _READS:
            permit(f"sends {name} to Redis")
        answer = super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        if name == "XLEN":
            evidence.note("stream_length", int(answer))
        return answer
