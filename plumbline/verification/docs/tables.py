"""The tables of both services, for the pages about them."""

from __future__ import annotations

from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import sentence
from plumbline.verification.introspection import facts


def by_owner() -> dict[str, list[facts.Table]]:
    """Return every table by the service that owns it; those of the migration tools come last."""
    return {
        service.name: [*service.tables, *service.bookkeeping] for service in facts.services().values() if service.tables
    }


def purpose(table: facts.Table) -> str:
    """Return what a table holds: as its code says, or else as words/tables.toml says."""
    silent = [one.name for group in by_owner().values() for one in group if not one.purpose]
    described = words.load("tables")
    words.require(described, silent, "tables", "tables")
    return sentence(table.purpose or described[table.name])
