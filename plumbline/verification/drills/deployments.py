"""Drills of the commands that deploy: a restart, interrupted deployments and migrations, the ways back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from plumbline.backups import revisions
from plumbline.components import MIGRATING, POSTGRES, TABLE, migration_step
from plumbline.errors import PlumblineError
from plumbline.patience import Patience
from plumbline.plan import TODAY
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.target import ComposeTarget
from plumbline.verification.drills.stage import Stage

_RECORDS = {"backend": "alembic_version", "data-processor": "django_migrations"}
"""The table in which each chain of migrations records what it has done."""
_AT_THE_END = "stack_events"
_WRITING = ("caddy", *(one.name for one in TABLE if POSTGRES.port.name in one.calls))
_BACK = 2
"""Migrations of each chain that are interrupted: reversing older ones would delete what clients wrote."""
_BLOCKED_S = 60.0
_WAITING = """
    SELECT pid FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock' AND relation = to_regclass(%s)
"""


def restart_all(stage: Stage) -> None:
    """Stop everything, and start it again."""
    stage.run("down")
    stage.run("up")


def interrupt_up(stage: Stage) -> None:
    """Stop everything, and kill `up` in the middle of each of its steps, before one `up` is left to end."""
    stage.run("down")
    before = ""
    for step in TODAY.plan:
        half = stage.seconds.get(step.name, 0.0) / 2
        stage.interrupted_up(before, lambda half=half: time.sleep(half))  # type: ignore[misc]
        before = step.name
    stage.run("up")


def interrupt_migrations(stage: Stage) -> None:
    """Upgrade from an earlier schema; kill each chain before it records its first migration, and its end."""
    _go_back(stage, _BACK)
    steps = [one.name for one in TODAY.plan]
    for name in MIGRATING:
        before = steps[steps.index(migration_step(name)) - 1]
        for table in (_RECORDS[name], _AT_THE_END):
            with _blocked(stage, table) as wait:
                stage.interrupted_up(before, wait)
                _end_container(stage, migration_step(name))
    stage.run("up")


def roll_back(stage: Stage) -> None:
    """Upgrade from the schema before, roll that upgrade back, and upgrade again."""
    _go_back(stage, 1)
    stage.run("up")
    stage.run("rollback", "--yes")
    stage.run("up")


def baseline(stage: Stage) -> None:
    """Go back to the baseline, and forward again."""
    stage.run("rollback", "--to", "baseline")
    stage.run("rollback", "--forward")


def _go_back(stage: Stage, steps: int) -> None:
    """Stop what writes, and give the database the schema of some migrations before."""
    target = stage.target
    target.stop(*_WRITING)
    for name in reversed(MIGRATING):
        target.migrate_back(name, revisions.known(name)[-1 - steps])


@contextmanager
def _blocked(stage: Stage, table: str) -> Iterator[Callable[[], None]]:
    """Yield a function that lets nothing write to a table, and waits until a migration wants to.

    It is called after the step before, which may write to the same table. At the end, the session of that migration is
    closed, as Postgres does when it learns that its client has died.
    """
    address = stage.stack.postgres.parameters()
    lock = psycopg.sql.SQL("LOCK TABLE {} IN SHARE MODE").format(psycopg.sql.Identifier(table))
    with psycopg.connect(**address) as locking, psycopg.connect(**address, autocommit=True) as watching:

        def wait() -> None:
            locking.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            locking.execute(lock)
            patience = Patience(_BLOCKED_S)
            while watching.execute(_WAITING, [table]).fetchone() is None:
                if patience.is_over():
                    raise PlumblineError(f"no migration wrote to {table}")
                time.sleep(0.02)

        yield wait
        for (pid,) in watching.execute(_WAITING, [table]).fetchall():
            watching.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def _end_container(stage: Stage, step: str) -> None:
    """Kill the container of a migration, which does not end with `up`."""
    target = stage.target
    if isinstance(target, ComposeTarget):
        engine.docker("kill", containers.one_of(target.project, step).id)
