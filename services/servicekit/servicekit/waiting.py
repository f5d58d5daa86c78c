"""Waits for the database, or for a schema, up to a deadline, and reports what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

_POLL_S = 0.5
_REPORT_AGAIN_S = 30.0


class WaitError(Exception):
    """The database or the schema was not ready in time; the message names it and what was missing at the end."""


def wait_for(
    what: str,
    conninfo: str,
    lacks: Callable[[psycopg.Connection[Any]], str | None],
    patience_s: float,
    report: Callable[[str], None],
) -> None:
    """Return once the database answers and `lacks` finds nothing missing (None). Raises WaitError after `patience_s`.

    `report` is called with the reason for waiting when that changes, and otherwise twice a minute.
    """
    deadline = time.monotonic() + patience_s
    reported, reported_at = "", float("-inf")
    while (reason := _reason(conninfo, lacks)) is not None:
        now = time.monotonic()
        if now >= deadline:
            raise WaitError(f"{what} was not ready after {patience_s:g} s: {reason}")
        if reason != reported or now - reported_at >= _REPORT_AGAIN_S:
            report(f"waiting for {what}: {reason}")
            reported, reported_at = reason, now
        time.sleep(min(_POLL_S, deadline - now))


def _reason(conninfo: str, lacks: Callable[[psycopg.Connection[Any]], str | None]) -> str | None:
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            return lacks(connection)
    except psycopg.OperationalError as error:
        return f"the database cannot be used yet ({' '.join(str(error).split())})"
