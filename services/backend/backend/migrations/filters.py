"""Filters that limit Alembic to the backend's own tables."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from backend.tables import metadata


def include_name(name: str | None, type_: str, _parents: MutableMapping[Any, Any]) -> bool:
    """Exclude other owners' tables when Alembic reads the database."""
    return type_ != "table" or name in metadata.tables


def include_object(_thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Exclude other owners' tables when Alembic proposes changes."""
    return type_ != "table" or name in metadata.tables
