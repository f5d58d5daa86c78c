"""Bring the schema to this release's revision and see that there is an operator."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from servicekit.facts import OPERATOR_USERNAME
from servicekit.migrations import migration_lock, record_event
from servicekit.secrets import read_secret
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from backend import migrations
from backend.passwords import hash_password
from backend.queries import users as sql
from backend.settings import SERVICE, BackendSettings

log = logging.getLogger(__name__)


def migrate(settings: BackendSettings) -> str:
    """Migrate under the lock that both services' migrations share; return the revision.

    Raises SecretError, psycopg.OperationalError (the database is away) or MigrationLockError.
    """
    password = read_secret(settings.operator_password_file) if settings.operator_password_file else None
    conninfo = settings.conninfo(f"{SERVICE} migrate")
    with migration_lock(conninfo, settings.migration_wait_s) as conn:
        upgrade(conninfo)
        revision = migrations.head()
        if password is not None:
            _ensure_operator(conn, password)
        record_event(conn, settings.stack_id, SERVICE, "migrated", revision)
    return revision


def upgrade(conninfo: str) -> None:
    """Run the migrations up to head. The caller holds the migration lock."""
    with alembic_config(conninfo) as config:
        command.upgrade(config, "head")


@contextmanager
def alembic_config(conninfo: str) -> Iterator[Config]:
    """Yield a configuration for Alembic's commands, whose work is committed when the context ends well."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        yield config


def _ensure_operator(conn: psycopg.Connection[Any], password: str) -> None:
    # Only the first time: an operator who has changed the password since keeps it.
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
