"""Waits for the database, or for a schema, up to a deadline, and reports what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

_POLL_S = 0.5
_SAY_AGAIN_S = 30.0


class WaitError(Exception):
    """What was waited for did not come in time; the message says what it was, and what was missing at the end."""


def wait_for(
    what: str,
    conninfo: str,
    lacks: Callable[[psycopg.Connection[Any]], str | None],
    patience_s: float,
    say: Callable[[str], None],
) -> None:
    """Return once the database answers and `lacks` finds nothing missing (None). Raises WaitError after `patience_s`.

    `say` is told what is waited for when that changes, and twice a minute while it does not.
    """
    deadline = time.monotonic() + patience_s
    said, said_at = "", float("-inf")
    while (reason := _reason(conninfo, lacks)) is not None:
        now = time.monotonic()
        if now >= deadline:
            raise WaitError(f"waited {patience_s:g} s for {what} in vain: {reason}")
        if reason != said or now - said_at >= _SAY_AGAIN_S:
            say(f"waiting for {what}: {reason}")
            said, said_at = reason, now
        time.sleep(min(_POLL_S, deadline - now))


def _reason(conninfo: str, lacks: Callable[[psycopg.Connection[Any]], str | None]) -> str | None:
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            return lacks(connection)
    except psycopg.OperationalError as error:
        return f"the database cannot be used yet ({' '.join(str(error).split())})"
