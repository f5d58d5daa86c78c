"""Migrates the schema to this release's revision and creates the first operator."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from servicekit.events import Event
from servicekit.facts import OPERATOR_USERNAME
from servicekit.migrations import migration_lock, record_event
from servicekit.secrets import read_secret
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from backend import migrations
from backend.announcements import announce
from backend.live import frames
from backend.passwords import hash_password, verify_password
from backend.queries import users as sql
from backend.settings import SERVICE, BackendSettings

log = logging.getLogger(__name__)


class MigrationError(Exception):
    """The migrations do not fit the database; the message says why and what to do."""


def migrate(settings: BackendSettings, back_to: str | None = None) -> str:
    """Migrate under the lock that both services' migrations share; return the revision.

    Schema, operator and the record in `stack_events` are one transaction. With `back_to`, an earlier revision, newer
    migrations are reversed instead.
    Raises SecretError, psycopg.OperationalError (the database is away), MigrationLockError or MigrationError.
    """
    password = read_secret(settings.operator_password_file) if settings.operator_password_file else None
    conninfo = settings.conninfo(f"{SERVICE} migrate")
    revision = back_to or migrations.head()
    with migration_lock(conninfo, settings.migration_wait_s), migrating(conninfo) as (config, conn):
        try:
            if back_to:
                command.downgrade(config, back_to)
                record_event(conn, settings.stack_id, SERVICE, "migrated", revision)
                return revision
            command.upgrade(config, "head")
        except CommandError as error:
            raise MigrationError(
                f"the schema cannot be brought to {revision}: {error}. Was the database migrated by a newer release? "
                "Then deploy that release, or restore a dump that this one made"
            ) from error
        changed = None if password is None else _ensure_operator(conn, password)
        record_event(conn, settings.stack_id, SERVICE, "migrated", revision)
    if changed is not None:
        announce(settings, [Event(None, frames.SESSIONS_CHANGED, [changed])], of_operator=True)
    return revision


@contextmanager
def migrating(conninfo: str) -> Iterator[tuple[Config, psycopg.Connection[Any]]]:
    """Yield Alembic's configuration and its connection; commit at the end of the context, or roll back on an error."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        driver_connection: Any = connection.connection.driver_connection
        yield config, driver_connection


def _ensure_operator(conn: psycopg.Connection[Any], password: str) -> int | None:
    """Create the first operator, or change the password. Return the operator's id if that ended their sessions."""
    known = conn.execute(sql.BY_USERNAME, {"username": OPERATOR_USERNAME}).fetchone()
    if known is None:
        conn.execute(
            sql.CREATE,
            {
                "username": OPERATOR_USERNAME,
                "display_name": "Operator",
                "password_hash": hash_password(password),
                "is_operator": True,
            },
        )
        log.info("operator %r created", OPERATOR_USERNAME)
        return None
    user_id, _, _, is_operator, password_hash, _ = known
    # The operator's password is changed in the file only. An ordinary user of that name keeps their own.
    if is_operator and not verify_password(password_hash, password):
        conn.execute(sql.NEW_HASH, {"id": user_id, "password_hash": hash_password(password)})
        log.info("operator %r has a new password", OPERATOR_USERNAME)
        return int(user_id)
    return None
