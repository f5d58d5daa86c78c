"""Running one statement. Requests speak SQL: a row costs the most where it is turned into objects on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection

Row = tuple[Any, ...]


def rows(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Run a statement and return all of its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def row(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """Run a statement and return its first row, or None."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


def blob(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """Run a statement and return its first row, transferred in binary: bytea would come as twice its size in text."""
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.cursor.execute(sql, parameters, binary=True)
        return cursor.fetchone()
