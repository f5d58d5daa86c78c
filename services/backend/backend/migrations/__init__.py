"""The backend's Alembic migrations, and the check whether a database has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from alembic.script import ScriptDirectory

from backend.queries import service as sql

FOLDER = Path(__file__).parent


def head() -> str:
    """Return the schema revision that this release needs."""
    revision = ScriptDirectory(str(FOLDER)).get_current_head()
    if revision is None:
        raise RuntimeError(f"no migration found in {FOLDER}")
    return revision


def find_mismatch(connection: psycopg.Connection[Any]) -> str | None:
    """Return how the schema's revision differs from `head()`; None if it does not. `connection` is autocommit."""
    try:
        row = connection.execute(sql.REVISION).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    return None if row and row[0] == head() else f"it is at {row[0] if row else 'nothing'}, this release needs {head()}"
