"""The backend's Alembic migrations, and what the running service knows of them."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent


def head() -> str:
    """Return the revision that this release needs the schema to be at."""
    revision = ScriptDirectory(str(FOLDER)).get_current_head()
    if revision is None:
        raise RuntimeError(f"no migration found in {FOLDER}")
    return revision
