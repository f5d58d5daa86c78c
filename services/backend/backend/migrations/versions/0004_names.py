"""Normalise existing names like new ones.

If two public channels would get the same name, the later one keeps its old name.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from servicekit.texts import normal
from sqlalchemy.exc import IntegrityError

revision = "0004_names"
down_revision = "0003_deletions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for table, column in (("users", "display_name"), ("channels", "name")):
        rows = connection.execute(sa.text(f"SELECT id, {column} AS name FROM {table} ORDER BY id"))  # noqa: S608
        changed = [{"id": row.id, "name": normal(row.name)} for row in rows if normal(row.name) not in ("", row.name)]
        update = sa.text(f"UPDATE {table} SET {column} = :name WHERE id = :id")  # noqa: S608
        for values in changed:
            try:
                with connection.begin_nested():
                    connection.execute(update, values)
            except IntegrityError:
                continue


def downgrade() -> None:
    """Keep the names: every release can read them."""
