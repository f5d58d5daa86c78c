"""The declared schema is what the migrations make, and nothing that differs from it goes unnamed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plumbline.verification.schema import catalog, comparison, references
from plumbline.verification.schema.__main__ import text

CHANGES: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("changes.toml").read_text())["change"]


@pytest.fixture
def database(migrated: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated) as connection:
        yield connection
        connection.rollback()


def test_the_declared_schema_is_what_the_migrations_make(database: psycopg.Connection) -> None:
    made = text(catalog.read(database))
    assert made == comparison.DECLARED.read_text(), f"write it anew: {comparison.WRITE}"
    comparison.require_declared(database)


@pytest.mark.parametrize("change", CHANGES, ids=[one["sql"] for one in CHANGES])
def test_every_difference_is_named(database: psycopg.Connection, change: dict[str, str]) -> None:
    database.execute(change["sql"].encode())
    with pytest.raises(pytest.fail.Exception) as failed:
        comparison.require_declared(database)
    said = str(failed.value)
    assert change["named"] in said
    assert said.startswith("postgres: ")
    assert "\nNext: " in said


_NAMED = (
    "table messages: foreign key messages_channel_id_fkey has no index on (channel_id); "
    "deleting a row of channels reads the whole of messages"
)


@pytest.mark.parametrize(
    ("index", "serves"),
    [
        ("", False),
        ("(channel_id)", True),
        ("(channel_id, id)", True),
        ("(id, channel_id)", False),
        ("(id) INCLUDE (channel_id)", False),
        ("((channel_id + 0))", False),
        ("USING brin (channel_id)", False),
        ("(channel_id) WHERE channel_id IS NOT NULL", True),
        ("(channel_id) WHERE target_user_id IS NULL", False),
        ("(channel_id) WHERE target_user_id IS NOT NULL", False),
    ],
)
def test_a_foreign_key_needs_an_index_that_its_cascade_can_use(
    database: psycopg.Connection, index: str, *, serves: bool
) -> None:
    database.execute("DROP INDEX messages_channel_id_idx")
    if index:
        database.execute(f"CREATE INDEX other ON messages {index}".encode())
    assert list(references.without_index(database)) == ([] if serves else [_NAMED])


def test_a_foreign_key_of_two_columns_needs_both_in_any_order(database: psycopg.Connection) -> None:
    database.execute("""
        CREATE TABLE visits (
            user_id bigint, channel_id bigint,
            FOREIGN KEY (channel_id, user_id) REFERENCES memberships ON DELETE CASCADE
        );
        CREATE INDEX ON visits (channel_id)
        """)
    assert [found.split("; ")[0] for found in references.without_index(database)] == [
        "table visits: foreign key visits_channel_id_user_id_fkey has no index on (channel_id, user_id)"
    ]
    database.execute("CREATE INDEX ON visits (user_id, channel_id)")
    assert list(references.without_index(database)) == []


def test_a_declared_schema_without_an_index_is_refused(
    database: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("DROP INDEX messages_channel_id_idx")
    declared = catalog.read(database)
    monkeypatch.setattr(comparison, "declared", lambda: declared)
    with pytest.raises(pytest.fail.Exception, match="foreign keys of app_db have no index") as failed:
        comparison.require_declared(database)
    assert _NAMED in str(failed.value)
