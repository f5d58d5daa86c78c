"""The commands of the service."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
from servicekit import forking
from servicekit.lifeline import watched_workers
from servicekit.migrations import migration_lock, record_event
from servicekit.waiting import wait_for

from data_processor import config, process, ready
from data_processor.config import DataProcessorSettings

_MISSING = """
    SELECT name FROM unnest(%(needed)s::text[]) name
    WHERE to_regclass('public.' || quote_ident(name)) IS NULL ORDER BY name
"""


_APPLIED = "SELECT name FROM django_migrations WHERE app = %(app)s"


class NewerSchemaError(Exception):
    """A newer release has migrated the database; the message says what to do."""


class UnknownRevisionError(Exception):
    """This release has no such migration."""


class NotYetError(Exception):
    """A precondition is missing; the message names it."""


def migrate(settings: DataProcessorSettings) -> int:
    """Migrate our tables to head, under the lock of both migration chains."""
    process.configure(forward=False)

    from data_processor import migrating
    from data_processor.health import selectors

    with migration_lock(settings.conninfo(f"{config.SERVICE} migrate"), settings.migration_wait_s) as conn:
        _require_backend(conn)
        _refuse_newer(conn)
        migrating.to_head()
        record_event(conn, settings.stack_id, config.SERVICE, "migrated", selectors.head())
    return 0


def migrate_back(settings: DataProcessorSettings, revision: str) -> int:
    """Reverse our migrations that are newer than `revision`, all in one transaction.

    What a service stored in tables or columns that they added is deleted. The tables of the queue stay, because
    Procrastinate's migrations cannot be reversed.
    """
    process.configure(forward=False)
    from django.core.management import call_command
    from django.db import transaction

    from data_processor.health import selectors

    if revision not in selectors.known():
        raise UnknownRevisionError(f"there is no migration {revision!r} in this release")
    with migration_lock(settings.conninfo(f"{config.SERVICE} migrate"), settings.migration_wait_s) as conn:
        _refuse_newer(conn)
        with transaction.atomic():
            call_command("migrate", selectors.APP, revision, interactive=False, verbosity=1)
        record_event(conn, settings.stack_id, config.SERVICE, "migrated", revision)
    return 0


def _require_backend(conn: psycopg.Connection[Any]) -> None:
    from data_processor import backend_tables

    needed = [*backend_tables.REQUIRED, "stack_events", "idempotency_keys", "events"]
    missing = [name for (name,) in conn.execute(_MISSING, {"needed": needed})]
    if missing:
        raise NotYetError(
            f"the backend's tables do not exist yet ({', '.join(missing)}): run python -m backend migrate first"
        )


def _refuse_newer(conn: psycopg.Connection[Any]) -> None:
    # Django ignores unknown migrations and reports success, but the service would never become ready.
    from data_processor.health import selectors

    try:
        applied = {name for (name,) in conn.execute(_APPLIED, {"app": selectors.APP})}
    except psycopg.errors.UndefinedTable:
        return
    if unknown := sorted(applied - selectors.known()):
        raise NewerSchemaError(
            f"the schema cannot be migrated to {selectors.head()}: the database has {', '.join(unknown)}, which this "
            "release does not know. Was it migrated by a newer release? Then deploy that release, or restore a dump "
            "that this one made"
        )


def wait(settings: DataProcessorSettings) -> int:
    """Return once our tables are at head. Raises WaitError after `schema_wait_s`."""
    process.configure(forward=False)
    from data_processor.health import selectors

    wait_for(
        "the data-processor's schema",
        settings.conninfo(f"{config.SERVICE} wait"),
        selectors.lacks,
        settings.schema_wait_s,
        lambda sentence: print(f"{config.SERVICE}: {sentence}", file=sys.stderr, flush=True),
    )
    return 0


def serve(settings: DataProcessorSettings) -> int:
    """Serve until SIGTERM or SIGINT."""
    process.configure(forward=True)
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from data_processor.web.slow_lane import threads

    server = Granian(
        "data_processor.wsgi:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=threads(settings),
        backlog=1024,
        respawn_failed_workers=True,
        respawn_interval=1.0,
        workers_kill_timeout=5,
        # Logs a dead worker as an error.
        log_level=LogLevels.error,
        log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
    )
    forking.prepare(["data_processor.wsgi", "data_processor.urls"])
    server.on_startup(lambda: ready.announce(settings))
    with watched_workers() as watch:
        server.on_startup(watch)
        server.serve()
    return 0


def work(settings: DataProcessorSettings) -> int:
    """Carry out jobs until SIGTERM or SIGINT."""
    from data_processor.jobs.work import work as run

    return run(settings)
