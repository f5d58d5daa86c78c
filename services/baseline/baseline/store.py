"""Users, channels and messages in one SQLite file, used from the event loop: every statement is short."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_NOW = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL COLLATE NOCASE UNIQUE, display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL, is_operator INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS channels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, search_key TEXT NOT NULL, type TEXT NOT NULL,
    direct_key TEXT UNIQUE, created_by INTEGER NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL DEFAULT ({_NOW}));
CREATE UNIQUE INDEX IF NOT EXISTS public_names ON channels (search_key) WHERE type = 'public';
CREATE TABLE IF NOT EXISTS memberships (
    channel_id INTEGER NOT NULL REFERENCES channels (id), user_id INTEGER NOT NULL REFERENCES users (id),
    joined_at TEXT NOT NULL DEFAULT ({_NOW}), PRIMARY KEY (channel_id, user_id));
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id INTEGER NOT NULL REFERENCES channels (id),
    sender_id INTEGER REFERENCES users (id), target_user_id INTEGER REFERENCES users (id),
    content TEXT NOT NULL, image_url TEXT, created_at TEXT NOT NULL DEFAULT ({_NOW}));
CREATE INDEX IF NOT EXISTS messages_of_channels ON messages (channel_id, id);
"""
MESSAGE = """
    SELECT m.id, m.content, m.image_url, m.sender_id, u.username, u.display_name, m.channel_id,
           m.created_at AS timestamp, m.target_user_id
    FROM messages m LEFT JOIN users u ON u.id = m.sender_id
"""


class Store:
    """The database. `with store:` is a transaction. All methods raise sqlite3.Error."""

    def __init__(self, file: Path) -> None:
        """Open the file, which no other process may use, and create what it lacks."""
        self._connection = sqlite3.connect(file, timeout=1)
        self._connection.row_factory = lambda cursor, row: {
            column[0]: bool(value) if column[0].startswith("is_") else value
            for column, value in zip(cursor.description, row, strict=True)
        }
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)
        with self:
            self.change("INSERT INTO identity SELECT ? WHERE NOT EXISTS (SELECT * FROM identity)", secrets.token_hex())

    def __enter__(self) -> None:
        self._connection.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def all(self, statement: str, *values: Any) -> list[Row]:
        """Return the rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: Any) -> Row | None:
        """Return the first row of a query."""
        return next(iter(self.all(statement, *values)), None)

    def change(self, statement: str, *values: Any) -> int | None:
        """Return the id of the row that a statement added, None if it changed nothing."""
        done = self._connection.execute(statement, values)
        return done.lastrowid if done.rowcount else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
