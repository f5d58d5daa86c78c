"""The backend's Alembic migrations, and the check whether a database has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from backend.queries import service as sql

FOLDER = Path(__file__).parent


def head() -> str:
    """Return the schema revision that this release needs."""
    # Not asked of Alembic: a server would take a third longer to start, and keep SQLAlchemy in memory.
    return max(path.stem for path in (FOLDER / "versions").glob("[0-9]*.py"))


def find_mismatch(connection: psycopg.Connection[Any]) -> str | None:
    """Return how the schema's revision differs from `head()`; None if it does not. `connection` is autocommit."""
    try:
        row = connection.execute(sql.REVISION).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    return None if row and row[0] == head() else f"it is at {row[0] if row else 'nothing'}, this release needs {head()}"
