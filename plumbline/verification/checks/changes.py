"""What a call changes in the database: every row that is new, deleted or different, with its columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

Rows = dict[tuple[str, Any], dict[str, Any]]
Database = psycopg.Connection[dict[str, Any]]

_IN_A_CHANNEL = "channel_id = ANY(%(channels)s)"
_OF_DOCUMENTS = f"document_id IN (SELECT id FROM documents WHERE {_IN_A_CHANNEL})"  # noqa: S608  composed of constants
_TABLES = {
    "users": ("id = ANY(%(users)s)", "id"),
    "channels": ("id = ANY(%(channels)s)", "id"),
    "memberships": (_IN_A_CHANNEL, "user_id"),
    "messages": (_IN_A_CHANNEL, "id"),
    "documents": (_IN_A_CHANNEL, "id"),
    "document_contents": (f"sha256 IN (SELECT sha256 FROM documents WHERE {_IN_A_CHANNEL})", "sha256"),  # noqa: S608
    # The documents of these checks have one page.
    "page_texts": (_OF_DOCUMENTS, "document_id"),
    "annotations": (_OF_DOCUMENTS, "id"),
    "templates": (_IN_A_CHANNEL, "id"),
    "template_labels": (f"template_id IN (SELECT id FROM templates WHERE {_IN_A_CHANNEL})", "id"),  # noqa: S608
}
"""Table to what selects its rows of some channels and users, and to the column that identifies a row."""
_BY_WORKERS = frozenset({"text_status", "text_error", "text_layer"})
"""Columns that a worker may write at any time after an upload."""


@dataclass
class Change:
    """What happened to the rows of a few channels and users while a block ran.

    `changed` names the columns of each row that differ: `documents 7: filename, updated_at`. `rows` counts new and
    deleted rows by table: `+1 messages`.
    """

    changed: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        """Both, sorted."""
        return sorted(self.changed + self.rows)


@contextmanager
def watched(database: Database, channels: Collection[int], users: Collection[int]) -> Iterator[Change]:
    """Yield a Change that is filled when the block ends."""
    before, change = _read(database, channels, users), Change()
    yield change
    after = _read(database, channels, users)
    for row in before.keys() & after.keys():
        columns = sorted(
            name for name, value in before[row].items() if after[row][name] != value and name not in _BY_WORKERS
        )
        if columns:
            change.changed.append(f"{row[0]} {row[1]}: {', '.join(columns)}")
    for sign, rows in (("+", after.keys() - before.keys()), ("-", before.keys() - after.keys())):
        tables = [table for table, _ in rows]
        change.rows += [f"{sign}{tables.count(table)} {table}" for table in sorted({*tables})]


def _read(database: Database, channels: Collection[int], users: Collection[int]) -> Rows:
    found: Rows = {}
    for table, (condition, key) in _TABLES.items():
        query = f"SELECT t.* FROM {table} t WHERE {condition}"  # noqa: S608  composed of constants
        rows = database.execute(query, {"channels": [*channels], "users": [*users]})
        found |= {(table, row[key]): row for row in rows}
    return found
