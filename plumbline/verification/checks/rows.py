"""Reads the stack's database directly, without its services."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from plumbline.stack import Stack


def connect(stack: Stack) -> psycopg.Connection[dict[str, Any]]:
    """Return a read-only connection to the stack's database (autocommit, rows as dicts)."""
    parameters = {"connect_timeout": 30} | stack.postgres.parameters() | {"application_name": "plumbline-checks"}
    connection = psycopg.connect(**parameters, autocommit=True, row_factory=dict_row)
    connection.execute("SET default_transaction_read_only = on")
    return connection


def one(database: psycopg.Connection[dict[str, Any]], table: str, **key: Any) -> dict[str, Any]:
    """Return the row of `table` with this key; fail unless there is exactly one."""
    found = many(database, table, **key)
    assert len(found) == 1, f"{table} has {len(found)} rows with {key}, expected one"
    return found[0]


def many(database: psycopg.Connection[dict[str, Any]], table: str, **key: Any) -> list[dict[str, Any]]:
    """Return the rows of `table` with this key, in no particular order."""
    where = psycopg.sql.SQL(" AND ").join(
        psycopg.sql.SQL("{} = {}").format(psycopg.sql.Identifier(name), psycopg.sql.Placeholder()) for name in key
    )
    query = psycopg.sql.SQL("SELECT * FROM {} WHERE {}").format(psycopg.sql.Identifier(table), where)
    return database.execute(query, list(key.values())).fetchall()
