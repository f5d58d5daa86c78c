"""Run one statement. Requests use SQL: turning rows into model objects costs more than the query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import OperationalError, connection, transaction
from psycopg.pq import Format
from psycopg.rows import dict_row

from data_processor.database.base import outage
from data_processor.database.watchdog import watchdog

Row = dict[str, Any]
"""A row by the names of its columns."""

ANSWER_S = 3.0
"""Longest wait for the answer to a statement."""
TRANSFER_S = 20.0
"""Longest wait for a statement that carries a whole document."""

_TIMESTAMPTZ = psycopg.adapters.types["timestamptz"].oid
_read_moment = psycopg.adapters.get_loader(_TIMESTAMPTZ, Format.TEXT)


@contextmanager
def _cursor(answer_s: float) -> Iterator[Any]:
    with connection.cursor() as cursor:
        # Django parses timestamps in Python to set its time zone, a third of the cost of a list. The connection is in
        # UTC, so psycopg's own loader returns the same.
        cursor.cursor.row_factory = dict_row
        cursor.cursor.adapters.register_loader(_TIMESTAMPTZ, _read_moment)
        with watchdog().limit(cursor.connection, answer_s):
            try:
                yield cursor
            except (OperationalError, psycopg.OperationalError) as error:
                # Only a lost connection means that the server is away.
                if cursor.connection.closed:
                    outage.failed(error)
                raise
        outage.worked()


@contextmanager
def limit(answer_s: float) -> Iterator[None]:
    """Limit the wait for statements that a library runs in the block, on this thread's open connection."""
    with watchdog().limit(connection.connection, answer_s):
        yield


@contextmanager
def snapshot() -> Iterator[None]:
    """Read the same state of the database in every statement of the block, and write nothing."""
    with transaction.atomic():
        with connection.cursor() as cursor, watchdog().limit(cursor.connection, ANSWER_S):
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def newest(alias: str, column: str, owner: str) -> str:
    """Return the clauses for a page of a list: rows of `alias` whose `column` is `owner`, newest first.

    A range in the order of the list's index, not an equality: with an equality Postgres may read the primary key
    backwards through all newer rows of other channels, and a list of a quiet channel becomes slow.
    """
    return f"""
        WHERE ({alias}.{column}, {alias}.id) < ({owner}, %(before)s) AND {alias}.{column} >= {owner}
        ORDER BY {alias}.{column} DESC, {alias}.id DESC LIMIT %(limit)s
    """


def rows(sql: str, parameters: Mapping[str, Any], answer_s: float = ANSWER_S) -> list[Row]:
    """Run a statement and return all of its rows."""
    with _cursor(answer_s) as cursor:
        cursor.execute(sql, parameters)
        found: list[Row] = cursor.fetchall()
        return found


def row(sql: str, parameters: Mapping[str, Any], answer_s: float = ANSWER_S) -> Row | None:
    """Run a statement and return its first row, or None."""
    with _cursor(answer_s) as cursor:
        cursor.execute(sql, parameters)
        found: Row | None = cursor.fetchone()
        return found


def release_connection() -> None:
    """Give this thread's connection back to the pool; the next statement takes one again.

    Call it before long work without queries: otherwise a few such requests would hold every connection.
    """
    connection.close()


def blob(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """Run a statement and return its first row, transferred in binary: as text, bytea has twice its size."""
    with _cursor(TRANSFER_S) as cursor, connection.wrap_database_errors:
        cursor.cursor.execute(sql, parameters, binary=True)
        found: Row | None = cursor.fetchone()
        return found
