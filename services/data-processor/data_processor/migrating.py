"""Applies migrations, each with its record in one transaction."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration


class _Executor(MigrationExecutor):
    """Django itself records a migration with foreign keys only after it has committed it.

    A migration that is killed between the two could never run again.
    """

    def apply_migration(self, state: Any, migration: Migration, fake: bool = False, fake_initial: bool = False) -> Any:
        """Apply one migration and record it."""
        with transaction.atomic():
            return super().apply_migration(state, migration, fake, fake_initial)


def to_head() -> None:
    """Apply all migrations that are missing. They are not one transaction, because the queue's cannot be."""
    executor = _Executor(connection, _tell)
    executor.migrate(executor.loader.graph.leaf_nodes())


def _tell(action: str, migration: Migration | None = None, fake: bool | None = False) -> None:
    del fake
    if action == "apply_success":
        print(f"applied {migration}", flush=True)
