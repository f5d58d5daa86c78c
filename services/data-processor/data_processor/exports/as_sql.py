"""Exports as SQL for PostgreSQL or SQLite: one transaction, committed by the last statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any

from psycopg.sql import Literal

from data_processor.exports.columns import Kind, chosen, plain, rows
from data_processor.exports.options import Dialect, ExportOptions
from data_processor.exports.selectors import Piece

TABLE = "document_values"
_REPEATED_MAX = 100

# SQLite has no decimals: as a number, an amount would become a float.
_TYPES: dict[Dialect, dict[Kind, str]] = {
    "postgresql": {
        "id": "bigint", "integer": "bigint", "number": "double precision", "text": "text", "date": "date",
        "amount": "numeric", "table": "jsonb", "moment": "timestamptz",
    },
    "sqlite": {
        "id": "INTEGER", "integer": "INTEGER", "number": "REAL", "text": "TEXT", "date": "TEXT",
        "amount": "TEXT", "table": "TEXT", "moment": "TEXT",
    },
}  # fmt: skip
_BEGIN: dict[Dialect, str] = {"postgresql": "SET client_encoding = 'UTF8';\nBEGIN;\n", "sqlite": "BEGIN;\n"}
Quote = Callable[[list[Any]], list[str]]


def write(pieces: Iterable[Piece], options: ExportOptions) -> Iterator[bytes]:
    """Yield the export in parts. The last line says how many values there were."""
    columns = chosen(include_metadata=options.include_metadata)
    types = _TYPES[options.dialect]
    yield _BEGIN[options.dialect].encode()
    if options.create_table:
        described = (
            f"{column.name} {types[column.kind]}" + (" PRIMARY KEY" if column.name == "value_id" else "")
            for column in columns
        )
        listed = ",\n  ".join(described)
        yield f"CREATE TABLE {TABLE} (\n  {listed}\n);\n".encode()
    opening = f"INSERT INTO {TABLE} ({', '.join(column.name for column in columns)}) VALUES\n"
    count = 0
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as engine:
        quote = _for_sqlite(engine, len(columns)) if options.dialect == "sqlite" else _for_postgresql
        for document, _, values in pieces:
            if values:
                quoted = (quote([plain(cell) for cell in row]) for row in rows(document, values, columns))
                tuples = ",\n".join(f"({', '.join(row)})" for row in quoted)
                yield f"{opening}{tuples};\n".encode()
                count += len(values)
    yield f"COMMIT;\n-- {count} values\n".encode()


def _for_postgresql(cells: list[Any]) -> list[str]:
    return [_text(cell) if isinstance(cell, str) else _number(cell) for cell in cells]


def _text(cell: str) -> str:
    return _repeated(cell) if len(cell) <= _REPEATED_MAX else Literal(cell).as_string()


@lru_cache(1_000)
def _repeated(cell: str) -> str:
    """Return a short text in quotes. Most are those of the row before: names, types, hashes."""
    return Literal(cell).as_string()


def _number(cell: float | None) -> str:
    return "NULL" if cell is None else repr(cell)


def _for_sqlite(engine: sqlite3.Connection, cells: int) -> Quote:
    statement = f"SELECT {', '.join(['quote(?)'] * cells)}"

    def quote(cells: list[Any]) -> list[str]:
        # SQLite ends a text at a NUL. Postgres, where the texts are from, stores none.
        if any(isinstance(cell, str) and "\0" in cell for cell in cells):
            raise ValueError("a text with a NUL cannot be written for SQLite")
        return list(engine.execute(statement, cells).fetchone())

    return quote
