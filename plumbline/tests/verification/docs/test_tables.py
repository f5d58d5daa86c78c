"""The tables on the pages are those that the migrations really make, beside those of Procrastinate's queue."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from plumbline import ROOT
from plumbline.verification.docs import tables
from plumbline.verification.introspection import facts

_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
           EXISTS (SELECT FROM pg_constraint k
                   WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)),
           (SELECT k.confrelid::regclass::text || ' ' || k.confdeltype::text FROM pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum])
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT starts_with(c.relname, 'procrastinate_')
"""
_DELETE = {"cascade": "c", "set null": "n", "no action": "a"}


def test_pages_show_the_migrated_schema(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        there = {row[:2]: row[2:] for row in connection.execute(_COLUMNS).fetchall()}
    shown = {
        (table.name, column.name): (
            column.type.replace("varchar", "character varying"),
            column.nullable,
            column.primary_key,
            _reference(column.references),
        )
        for group in tables.by_owner().values()
        for table in group
        for column in table.columns
    }
    assert shown == there


def _reference(reference: facts.Reference | None) -> str | None:
    return f"{reference.table} {_DELETE[reference.on_delete]}" if reference else None


def test_a_probe_sees_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_POOL_SIZE", "77")
    settings = {one.variable: one for one in facts._ask("backend").settings}
    assert settings["PLUMBLINE_POOL_SIZE"].default != "77"
    assert settings["PLUMBLINE_POSTGRES_PASSWORD_FILE"].default is None
    assert settings["PLUMBLINE_POSTGRES_PASSWORD_FILE"].secret


def test_the_harness_imports_no_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, plumbline.verification.docs.site; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not {"backend", "data_processor", "log_sink", "django", "sqlalchemy"} & set(done.stdout.split())
