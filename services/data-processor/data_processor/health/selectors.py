"""State of the database: whether it answers, and whether its schema serves this release."""

from __future__ import annotations

from functools import cache
from typing import Any

import psycopg
from django.db import DatabaseError
from django.db.migrations.loader import MigrationLoader
from servicekit.migrations import serves

from data_processor.database import statements

_ANSWER_S = 1.0
APP = "data_processor"
_APPLIED = "SELECT name FROM django_migrations WHERE app = %(app)s ORDER BY id DESC LIMIT 1"


@cache
def head() -> str:
    """Return the name of the newest migration in the code."""
    ((_, name),) = MigrationLoader(None).graph.leaf_nodes(APP)
    return str(name)


def known() -> set[str]:
    """Return the names of all migrations in the code."""
    return {name for app, name in MigrationLoader(None).disk_migrations or {} if app == APP}


def schema_state() -> tuple[str | None, str | None]:
    """Return the newest migration that the database has, and why requests cannot be served (None if they can)."""
    try:
        row = statements.row(_APPLIED, {"app": APP}, answer_s=_ANSWER_S)
    except (DatabaseError, psycopg.Error) as error:
        if "django_migrations" in str(error):
            return None, f"the schema is empty, {head()} is wanted: run python -m data_processor migrate"
        return None, "the database does not answer"
    applied = row["name"] if row else None
    if not serves(applied, head()):
        return applied, f"the schema is at {applied}, {head()} is wanted: run python -m data_processor migrate"
    return applied, None


def lacks(connection: psycopg.Connection[Any]) -> str | None:
    """Return how the schema differs from that of this release, or None."""
    try:
        row = connection.execute(_APPLIED, {"app": APP}).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    applied = row[0] if row else None
    return None if applied == head() else f"it is at {applied or 'nothing'}, this release needs {head()}"
