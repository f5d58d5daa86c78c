"""Reads the stack's database directly, without its services."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from plumbline.stack import Stack
from plumbline.verification.checks import evidence

_TABLE = re.compile(r"\bFROM\s+\"?([\w.]+)", re.IGNORECASE)


class _Cursor(psycopg.Cursor[dict[str, Any]]):
    """A cursor whose rows are evidence."""

    table = ""

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        """Execute a statement, and remember the table that it reads."""
        text = query.as_string(self) if isinstance(query, psycopg.sql.Composable) else str(query)
        found = _TABLE.search(text)
        self.table = found[1] if found else text.split()[0].lower()
        super().execute(query, params, **options)
        return self


def _counted(cursor: Any) -> Callable[[Sequence[Any]], dict[str, Any]]:
    make = dict_row(cursor)

    def row(values: Sequence[Any]) -> dict[str, Any]:
        evidence.count("rows", cursor.table)
        return make(values)

    return row


def connect(stack: Stack) -> psycopg.Connection[dict[str, Any]]:
    """Return a read-only connection to the stack's database (autocommit, rows as dicts)."""
    parameters = {"connect_timeout": 30} | stack.postgres.parameters() | {"application_name": "plumbline-checks"}
    connection = psycopg.connect(**parameters, autocommit=True, row_factory=_counted, cursor_factory=_Cursor)
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
