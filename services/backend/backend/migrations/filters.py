"""Which tables Alembic may see: the backend's own, in both directions."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from backend.tables import metadata


def include_name(name: str | None, type_: str, _parents: MutableMapping[Any, Any]) -> bool:
    """Keep Alembic from reading tables of another owner out of the database."""
    return type_ != "table" or name in metadata.tables


def include_object(_thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Keep Alembic from writing about tables of another owner."""
    return type_ != "table" or name in metadata.tables
