"""Tables that grow around a user whose own rows stay the same."""

from __future__ import annotations

from typing import Any

import psycopg

SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"
TABLES = ("users", "channels", "memberships", "messages", "sessions", "invites", "idempotency_keys", "events")

_OWN = """
    INSERT INTO users (username, display_name, password_hash, is_operator)
    VALUES ('quiet', 'x', 'x', true), ('friend', 'x', 'x', false), ('stranger', 'x', 'x', false),
           ('everywhere', 'x', 'x', false);
    INSERT INTO channels (name, type, created_by)
    SELECT '#quiet-' || n, 'public', id FROM users, generate_series(1, 60) n WHERE username = 'quiet';
    INSERT INTO channels (name, type, created_by)
    SELECT 'crowd-own-' || n, 'private', id FROM users, generate_series(1, 3) n WHERE username = 'quiet';
    INSERT INTO channels (name, type, direct_key, created_by)
    SELECT 'quiet, friend', 'private', 'direct', id FROM users WHERE username = 'quiet';
    INSERT INTO channels (name, type) VALUES ('#busy', 'public');
    INSERT INTO memberships (channel_id, user_id)
    SELECT c.id, u.id FROM channels c, users u
    WHERE u.username IN ('quiet', 'friend') AND (c.name ~ '^(#quiet-1|crowd-own|quiet)' OR c.name = '#busy')
       OR u.username = 'everywhere' AND c.name = '#busy';
    INSERT INTO messages (channel_id, sender_id, content)
    SELECT m.channel_id, m.user_id, 'x' FROM memberships m, generate_series(1, 30);
    INSERT INTO sessions (id, user_id, version, expires_at)
    SELECT '0f8fad5b-d9cb-469f-a165-70867728950e', id, 0, now() + interval '1 day' FROM users WHERE username = 'quiet';
    INSERT INTO invites (code_hash, created_by, expires_at)
    SELECT 'own', id, now() + interval '1 day' FROM users WHERE username = 'quiet';
"""
_MORE = (
    """
    INSERT INTO users (username, display_name, password_hash)
    SELECT 'crowd-' || n, 'x', 'x' FROM generate_series(%(from)s, %(to)s) n
    """,
    """
    INSERT INTO channels (name, type, created_by)
    SELECT mark || u.username, CASE mark WHEN '#' THEN 'public' ELSE 'private' END, u.id
    FROM unnest(ARRAY['#', '']) mark, generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    """,
    """
    INSERT INTO memberships (channel_id, user_id)
    SELECT c.id, u.id FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    JOIN channels c ON c.created_by = u.id
    """,
    """
    INSERT INTO memberships (channel_id, user_id)
    SELECT (SELECT id FROM channels WHERE name = '#busy'), u.id
    FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    """,
    """
    INSERT INTO memberships (channel_id, user_id)
    SELECT c.id, e.id FROM users e, generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    JOIN channels c ON c.created_by = u.id WHERE e.username = 'everywhere'
    """,
    """
    INSERT INTO messages (channel_id, sender_id, target_user_id, content)
    SELECT m.channel_id, CASE WHEN c.name = '#busy' THEN u.id END, CASE WHEN c.name <> '#busy' THEN u.id END, 'x'
    FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    JOIN memberships m ON m.user_id = u.id JOIN channels c ON c.id = m.channel_id
    """,
    """
    INSERT INTO sessions (id, user_id, version, expires_at)
    SELECT gen_random_uuid(), u.id, 0, now() + interval '1 day'
    FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    """,
    """
    INSERT INTO invites (code_hash, created_by, expires_at)
    SELECT u.username::bytea, u.id, now() + interval '1 day'
    FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    """,
    """
    INSERT INTO idempotency_keys (user_id, key, request, answer)
    SELECT u.id, u.username, '', '{}' FROM generate_series(%(from)s, %(to)s) n
    JOIN users u ON u.username = 'crowd-' || n
    """,
    """
    INSERT INTO events (channel_id, message_id)
    SELECT m.channel_id, m.id FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'crowd-' || n
    JOIN messages m ON m.sender_id = u.id
    """,
)


def plant(database: psycopg.Connection[Any]) -> None:
    """Add the user with the rows that stay."""
    database.execute(_OWN)


def add(database: psycopg.Connection[Any], before: int, after: int) -> None:
    """Add the rows of others, from `before` to `after` of each table."""
    with psycopg.ClientCursor(database) as cursor:
        for statement in _MORE:
            cursor.execute(statement.encode(), {"from": before + 1, "to": after})


def count(database: psycopg.Connection[Any]) -> None:
    """Have Postgres count all rows, as it does by itself some time after they were added."""
    for table in TABLES:
        database.execute(f"ANALYZE {table}".encode())


def ids(database: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the ids of users and channels by name."""
    found: dict[str, int] = {}
    for table, column in (("users", "username"), ("channels", "name")):
        rows = database.execute(f"SELECT {column}, id FROM {table} WHERE {column} !~ '^#?crowd-[0-9]'".encode())
        found |= dict(rows.fetchall())
    return found
