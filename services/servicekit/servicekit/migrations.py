"""Shared parts of the two migration chains: one lock, and the record of events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from servicekit.facts import MIGRATION_LOCK_KEY

_HOLDER = """
    SELECT a.application_name, a.pid, a.backend_start
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND (l.classid::bigint << 32 | l.objid::bigint) = %s
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_POLL_S = 0.2


class MigrationLockError(Exception):
    """The migration lock was not acquired in time; the message names its holder."""


@contextmanager
def migration_lock(conninfo: str, wait_s: float) -> Iterator[psycopg.Connection[Any]]:
    """Hold the session advisory lock of all migrations; yields its own connection (autocommit).

    Waits `wait_s` seconds at most, then raises MigrationLockError with the holder's application name, process id
    and start. The lock ends with the connection, so a migration that is killed releases it.
    """
    deadline = time.monotonic() + wait_s
    with psycopg.connect(conninfo, autocommit=True) as conn:
        while not _try_lock(conn):
            if time.monotonic() >= deadline:
                raise MigrationLockError(_describe_holder(conn, wait_s))
            time.sleep(_POLL_S)
        yield conn


def _try_lock(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", (MIGRATION_LOCK_KEY,)).fetchone()
    return bool(row and row[0])


def _describe_holder(conn: psycopg.Connection[Any], wait_s: float) -> str:
    row = conn.execute(_HOLDER, (MIGRATION_LOCK_KEY,)).fetchone()
    if row is None:
        return f"the migration lock was busy for {wait_s:g} s and was released just now: run the command again"
    name, pid, since = row
    return (
        f"another migration holds the lock: {name or 'unnamed session'} "
        f"(Postgres process {pid}, connected since {since:%Y-%m-%d %H:%M:%S %Z}); "
        f"waited {wait_s:g} s. Let it finish, or end it with SELECT pg_terminate_backend({pid})"
    )


def serves(applied: str | None, head: str) -> bool:
    """Return whether code whose newest migration is `head` can serve a schema at `applied`: at head, or newer.

    During an upgrade, services run beside the schema of the next release, which only adds to theirs. Starting a release
    on a newer schema is refused by its migrations.
    """
    return applied is not None and applied >= head


RECORD_EVENT = "INSERT INTO stack_events (stack_id, component, event, detail) VALUES (%s, %s, %s, %s)"
"""Table `stack_events` belongs to the backend's migrations; `at` is the database's own clock."""


def record_event(conn: psycopg.Connection[Any], stack_id: str, component: str, event: str, detail: str | None) -> None:
    """Record that `component` of deployment `stack_id` reached `event` ("migrated", "ready")."""
    conn.execute(RECORD_EVENT, (stack_id, component, event, detail))
