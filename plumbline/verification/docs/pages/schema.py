"""docs/generated/schema.md: a picture of all tables, and every foreign key."""

from __future__ import annotations

from plumbline.verification.docs import diagram, tables
from plumbline.verification.docs.markdown import code, table
from plumbline.verification.introspection import facts

_INTRODUCTION = """\
---
hide:
  - toc
---

# Schema

All tables are in one database and one schema. Each has one owner, the service whose migrations create and change it;
the other service reads it and refers to it, and never changes it. The [inventory](inventory.md) lists every table with
all of its columns. In the picture each box shows the columns that are keys; lines lead from a foreign key to its
table, in colour where they go from one owner to the other.

"""

_ACTIONS = {
    "cascade": "is deleted, too",
    "set null": "stays, without the reference",
    "no action": "prevents that",
}


def page() -> str:
    """Return the picture and the table of foreign keys."""
    owned = {service.name: list(service.tables) for service in facts.services().values() if service.tables}
    owner = {one.name: name for name, group in owned.items() for one in group}
    crossing: list[tuple[str, ...]] = []
    inside: list[tuple[str, ...]] = []
    for group in owned.values():
        for one in group:
            for column in one.columns:
                if column.references:
                    row = (code(f"{one.name}.{column.name}"), code(column.references.table),
                           _ACTIONS[column.references.on_delete])  # fmt: skip
                    (inside if owner[one.name] == owner[column.references.table] else crossing).append(row)
    head = ("column", "refers to", "when the row there is deleted, this one")
    return (
        _INTRODUCTION
        + diagram.svg(owned)
        + f"\n## Foreign keys from one owner to the other\n\nThey are why the backend migrates first: "
        f"Postgres refuses a reference to a table that is not there.\n\n{table(head, crossing)}"
        + f"\n## Foreign keys inside one owner\n\n{table(head, inside)}"
        + f"\n## What each table holds\n\n{table(('table', 'owner', 'what it holds'), _purposes())}"
    )


def _purposes() -> list[tuple[str, str, str]]:
    return [
        (f"[{code(one.name)}](inventory.md#{one.name})", owner, tables.purpose(one))
        for owner, group in tables.by_owner().items()
        for one in group
    ]
