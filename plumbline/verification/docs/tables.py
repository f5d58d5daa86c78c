"""The tables of both owners, as the pages about them need them."""

from __future__ import annotations

from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import sentence
from plumbline.verification.introspection import facts


def by_owner() -> dict[str, list[facts.Table]]:
    """Return every table by the service that owns it, those that a migration tool keeps for itself last."""
    return {
        service.name: [*service.tables, *service.bookkeeping] for service in facts.services().values() if service.tables
    }


def purpose(table: facts.Table) -> str:
    """Return what a table holds, from its code or else from the words written for it."""
    silent = [one.name for group in by_owner().values() for one in group if not one.purpose]
    described = words.load("tables")
    words.require(described, silent, "tables", "tables")
    return sentence(table.purpose or described[table.name])
