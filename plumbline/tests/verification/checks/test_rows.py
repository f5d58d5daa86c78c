"""Reading rows directly from the database."""

from __future__ import annotations

import psycopg
import pytest

from plumbline.stack import OperatorAccount, PostgresAddress, RedisAddress, Stack
from plumbline.verification.checks import rows


@pytest.fixture
def database(postgres_server):
    server = postgres_server
    stack = Stack(
        "id", "t", "ready", "0", "/", "http://127.0.0.1",
        PostgresAddress(server.host, server.port, server.database, server.user, str(server.password_file)),
        RedisAddress(""), OperatorAccount("operator", ""), (),
    )  # fmt: skip
    with rows.connect(stack) as connection:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute('CREATE TEMP TABLE "odd; name" (id int, "wh ere" text)')
            connection.execute("INSERT INTO \"odd; name\" VALUES (1, 'a'), (2, 'b'), (2, 'c')")
        yield connection


def test_a_row_is_found_by_its_key(database):
    assert rows.one(database, "odd; name", id=1) == {"id": 1, "wh ere": "a"}
    assert rows.one(database, "odd; name", **{"id": 2, "wh ere": "c"}) == {"id": 2, "wh ere": "c"}


def test_one_fails_for_no_row_and_for_two(database):
    for key, count in ((3, 0), (2, 2)):
        with pytest.raises(AssertionError, match=f"has {count} rows"):
            rows.one(database, "odd; name", id=key)
    assert len(rows.many(database, "odd; name", id=2)) == 2


def test_the_connection_is_read_only(database):
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.execute("CREATE TABLE planted ()")


def test_a_value_is_never_part_of_the_statement(database):
    assert rows.many(database, "odd; name", **{"wh ere": "' OR true --"}) == []
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows.many(database, 'x"; DROP TABLE y; --', id=1)
