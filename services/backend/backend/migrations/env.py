"""Alembic's environment: runs migrations of the backend's own tables on the connection it is given."""

from __future__ import annotations

from alembic import context

from backend.migrations.filters import include_name, include_object
from backend.tables import metadata


def run() -> None:
    """Run the migrations in one transaction."""
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
