"""How Alembic runs the backend's migrations: on the connection it is handed, over the backend's own tables alone."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from alembic import context

from backend.tables import metadata


def include_name(name: str | None, type_: str, _parents: MutableMapping[Any, Any]) -> bool:
    """Keep Alembic from reading tables of another owner out of the database."""
    return type_ != "table" or name in metadata.tables


def include_object(_thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Keep Alembic from writing about tables of another owner."""
    return type_ != "table" or name in metadata.tables


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
