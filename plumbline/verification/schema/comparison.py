"""Compares the schema of a running database with the declared one, which `declared.toml` holds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import psycopg

from plumbline.verification.checks import findings
from plumbline.verification.schema import catalog, references
from plumbline.verification.schema.catalog import ITSELF, OUTSIDE, Schema

DECLARED = Path(__file__).with_name("declared.toml")
WRITE = "python -m plumbline.verification.schema"


def declared() -> Schema:
    """Return the schema that both migration chains make together."""
    return tomllib.loads(DECLARED.read_text())


def require_declared(database: psycopg.Connection[Any]) -> None:
    """Fail, naming each difference, if the database has another schema than the declared one.

    Fail also if a foreign key has no index, declared or not.
    """
    findings.require_none(
        differences(declared(), catalog.read(database)),
        about=f"postgres: the schema of {database.info.dbname} is not what the migrations declare",
        then=f"put back what is named, with psql; if it is a migration of yours that changed the schema: {WRITE}",
    )
    findings.require_none(
        references.without_index(database),
        about=f"postgres: foreign keys of {database.info.dbname} have no index",
        then="add the indexes in a migration of the service that the table belongs to",
    )


def differences(wanted: Schema, found: Schema) -> list[str]:
    """Name every difference between two schemas, each with its table."""
    said: list[str] = []
    for relation in sorted({*wanted, *found}):
        if relation == OUTSIDE:
            said += _in_relation("", wanted.get(relation, {}), found.get(relation, {}))
        elif relation not in found:
            said.append(f"table {relation} is missing")
        elif relation not in wanted:
            kind = found[relation].get(ITSELF, {}).get("kind", "objects")
            said.append(f"{relation} is not declared: {kind}")
        else:
            said += _in_relation(relation, wanted[relation], found[relation])
    return said


def _in_relation(relation: str, wanted: dict[str, dict[str, str]], found: dict[str, dict[str, str]]) -> list[str]:
    said = []
    for kind in sorted({*wanted, *found}):
        before, now = wanted.get(kind, {}), found.get(kind, {})
        for name in sorted({*before, *now}):
            what = name if kind == ITSELF else f"{kind} {name}"
            what = f"table {relation}: {what}" if relation else what
            if name not in now:
                said.append(f"{what} is missing: {before[name]}")
            elif name not in before:
                said.append(f"{what} is not declared: {now[name]}")
            elif before[name] != now[name]:
                said.append(f"{what} differs: expected {before[name]!r}, found {now[name]!r}")
    return said
