"""How Alembic runs the backend's migrations: on the connection it is handed, over the backend's own tables alone."""

from __future__ import annotations

from alembic import context

from backend.migrations.filters import include_name, include_object
from backend.tables import metadata


def run() -> None:
    """Run what the command asked for, in one transaction: a migration that fails half way leaves nothing."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        include_name=include_name,
        include_object=include_object,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
