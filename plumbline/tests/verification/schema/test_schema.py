"""The declared schema is what the migrations make, and nothing that differs from it goes unnamed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plumbline.verification.schema import catalog, comparison
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
