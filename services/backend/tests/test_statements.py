"""Every SQL statement against the migrated schema, and query plans on large tables."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import backend.queries
import psycopg
import pytest
from backend.queries import channels, messages, sessions
from backend.queries.repeats import Once
from servicekit.accounts import SESSION_QUERY

from .conftest import Backend

PAGE = 51
SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"
_FOUND = {
    f"{module.name}.{name}": value
    for module in pkgutil.iter_modules(backend.queries.__path__)
    for name, value in vars(importlib.import_module(f"backend.queries.{module.name}")).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, str | Once)
}
STATEMENTS: dict[str, str] = {
    f"{name}{form}": text
    for name, value in _FOUND.items()
    for form, text in (zip((".plain", ".keyed"), value, strict=True) if isinstance(value, Once) else (("", value),))
}


def number_parameters(statement: str) -> str:
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", place, statement)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_prepares_against_the_schema(sql: psycopg.Connection[dict[str, Any]], name: str) -> None:
    sql.execute(f"PREPARE checked AS {number_parameters(STATEMENTS[name])}".encode())


def test_statements_were_found() -> None:
    assert len(STATEMENTS) >= 17


@pytest.fixture(scope="module")
def crowded(backend: Backend, postgres_server: Any) -> Any:
    """Tables so large that a sequential scan is the most expensive plan."""
    with psycopg.connect(postgres_server.conninfo) as connection:
        connection.execute("""
            INSERT INTO users (username, display_name, password_hash)
            SELECT 'crowd-' || n, 'x', 'x' FROM generate_series(1, 20000) n;
            INSERT INTO channels (name, type) SELECT '#crowd-' || n, 'public' FROM generate_series(1, 3000) n;
            INSERT INTO channels (name, type) SELECT 'crowd-' || n, 'private' FROM generate_series(1, 3000) n;
            INSERT INTO memberships (channel_id, user_id)
            SELECT c.id, u.id FROM channels c JOIN users u ON u.id % 2000 = c.id % 2000 WHERE u.username LIKE 'crowd-%';
            INSERT INTO messages (channel_id, target_user_id, content)
            SELECT c.id, CASE WHEN n > 4 THEN u.id END, 'x'
            FROM generate_series(1, 8) n, channels c JOIN users u ON u.id % 20000 = c.id % 20000
            WHERE u.username LIKE 'crowd-%';
            INSERT INTO idempotency_keys (user_id, key, request, answer)
            SELECT id, username, '', '{}' FROM users WHERE username LIKE 'crowd-%';
            """)
        connection.execute("""
            INSERT INTO sessions (id, user_id, version, expires_at)
            SELECT gen_random_uuid(), id, 0, now() + make_interval(mins => id::int % 100) FROM users
            """)
        for table in ("users", "channels", "memberships", "messages", "sessions", "idempotency_keys"):
            connection.execute(f"ANALYZE {table}".encode())
        # Rolled back, so that other tests keep small tables.
        yield connection
        connection.rollback()
    with psycopg.connect(postgres_server.conninfo, autocommit=True) as connection:
        connection.execute("ANALYZE")


@pytest.mark.parametrize(
    "statement",
    [
        channels.LIST,
        channels.SEARCH,
        channels.MEMBERS,
        channels.MEMBERS_AMONG,
        channels.ACCESS,
        channels.REMOVE_MEMBER,
        channels.RENAME,
        channels.DELETE,
        channels.SENDER,
        messages.LIST,
        *messages.POST,
        SESSION_QUERY,
        sessions.OPEN,
        sessions.OPEN_AMONG,
        sessions.END,
        sessions.REPLACE_HASH,
        STATEMENTS["users.BY_USERNAME"],
        STATEMENTS["users.DELETE"],
    ],
)
@pytest.mark.parametrize("generic", [False, True])
def test_statement_needs_no_sequential_scan(crowded: psycopg.Connection, statement: str, *, generic: bool) -> None:
    text = "\n".join(line for (line,) in explain(crowded, statement, "COSTS OFF", generic=generic))
    assert "Seq Scan" not in text, text


@pytest.mark.parametrize("statement", [channels.LIST, channels.MEMBERS, messages.LIST])
@pytest.mark.parametrize("generic", [False, True])
def test_a_page_reads_few_rows_for_a_user_with_many_channels(
    crowded: psycopg.Connection, statement: str, *, generic: bool
) -> None:
    crowded.execute("""
        INSERT INTO memberships (channel_id, user_id)
        SELECT c.id, u.id FROM channels c JOIN users u ON u.username = 'crowd-1500' WHERE c.type = 'public'
        ON CONFLICT DO NOTHING
        """)
    ((found,),) = explain(crowded, statement, "ANALYZE, FORMAT JSON", generic=generic)
    assert rows_read(found, "memberships") <= 2 * PAGE, found


@pytest.mark.parametrize("generic", [False, True])
def test_a_page_of_a_quiet_channel_reads_no_rows_of_a_busy_one(crowded: psycopg.Connection, *, generic: bool) -> None:
    # Half of all messages are in the quiet channel, and those of the busy one are newer: the planner's statistics
    # suggest that a backward scan of all messages finds a page soon.
    user, quiet = member_of_the_crowd(crowded)
    crowded.execute("DELETE FROM messages")
    for condition in ("id = %s", "id = (SELECT max(id) FROM channels WHERE id <> %s)"):
        crowded.execute(
            f"""
            INSERT INTO messages (channel_id, sender_id, content)
            SELECT c.id, %s, 'x' FROM channels c, generate_series(1, 20000) WHERE {condition}
            """.encode(),
            (user, quiet),
        )
    crowded.execute("ANALYZE messages")

    ((found,),) = explain(crowded, messages.LIST, "ANALYZE, FORMAT JSON", generic=generic)

    assert rows_read(found, "messages") <= 2 * PAGE, found


def member_of_the_crowd(crowded: psycopg.Connection) -> tuple[int, int]:
    """Return the ids of a user and of one of their channels."""
    return crowded.execute("""
        SELECT m.user_id, min(m.channel_id) FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE u.username = 'crowd-1500' GROUP BY m.user_id
        """).fetchone() or (0, 0)


def explain(crowded: psycopg.Connection, statement: str, options: str, *, generic: bool) -> list[tuple[Any, ...]]:
    """Return Postgres's plan of a prepared statement for a member of the crowd."""
    user, channel = member_of_the_crowd(crowded)
    values = {
        "before": 2**63 - 1, "limit": PAGE, "user_id": user, "channel_id": channel, "after": None, "prefix": "crowd-1",
        "channel_ids": [channel], "user_ids": [user], "content": "x", "image_url": None, "username": "crowd-7",
        "id": user, "member_id": user, "name": "#x", "is_marked": True, "key": "new", "request": b"",
        "session_id": SESSION, "session_ids": [SESSION], "password_hash": "x", "new_hash": "y", "ttl_s": 60,
    }  # fmt: skip
    crowded.execute(f"SET LOCAL plan_cache_mode = force_{'generic' if generic else 'custom'}_plan".encode())
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    crowded.execute(f"PREPARE explain AS {number_parameters(statement)}".encode())
    try:
        arguments = psycopg.sql.SQL(", ").join(psycopg.sql.Literal(values[name]) for name in names)
        execute = psycopg.sql.SQL("EXPLAIN ({}) EXECUTE explain ({})")
        return crowded.execute(execute.format(psycopg.sql.SQL(options), arguments)).fetchall()
    finally:
        crowded.execute("DEALLOCATE explain")


def rows_read(explanation: list[dict[str, Any]], table: str) -> int:
    """Return how many rows of a table were read, including filtered ones."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(explanation[0]["Plan"])
        if node.get("Relation Name") == table
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
