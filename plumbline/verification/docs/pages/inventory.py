"""docs/generated/inventory.md: all data, and where each is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.verification.docs import tables, words
from plumbline.verification.docs.markdown import code, codes, table
from plumbline.verification.docs.pages.defaults import constants
from plumbline.verification.introspection import facts

_INTRODUCTION = """\
# Inventory

All data, where each was stored in the stack before this one, and where it is stored now. A table has one owner: the
service whose migrations create and change it.

"""


def page() -> str:
    """Return the list of data, then every table with its columns. Each column belongs to exactly one datum."""
    data = words.load("inventory")["datum"]
    owned = tables.by_owner()
    claims = {datum["name"]: list(_claims(datum, owned)) for datum in data}
    claimed = [name for names in claims.values() for name in names]
    words.require(claimed, _all_columns(owned), "inventory", "columns")
    twice = [name for name, count in Counter(claimed).items() if count > 1]
    if twice:
        raise PlumblineError(f"words/inventory.toml gives a column to two data: {', '.join(twice)}")
    rows = [(datum["name"], datum["before"], _now(datum), _owner(claims[datum["name"]], owned)) for datum in data]
    return (
        _INTRODUCTION
        + table(("datum", "before", "now", "owner"), rows)
        + "\n"
        + "\n".join(_tables(owner, owned[owner]) for owner in owned)
    )


def _claims(datum: dict[str, Any], owned: dict[str, list[facts.Table]]) -> Iterator[str]:
    columns = _all_columns(owned)
    for claim in datum.get("columns", ()):
        name, _, column = claim.partition(".")
        matching = [one for one in columns if one.startswith(f"{name}.")] if column == "*" else []
        yield from matching or [claim]


def _all_columns(owned: dict[str, list[facts.Table]]) -> list[str]:
    return [f"{one.name}.{column.name}" for group in owned.values() for one in group for column in one.columns]


def _now(datum: dict[str, Any]) -> str:
    if "now" in datum:
        return str(datum["now"]).format(**constants())
    columns: dict[str, list[str]] = {}
    for claim in datum["columns"]:
        name, _, column = claim.partition(".")
        columns.setdefault(name, []).append(column)
    return "; ".join(
        f"[{code(name)}](#{name})" + ("" if names == ["*"] else f": {codes(names)}") for name, names in columns.items()
    )


def _owner(claimed: list[str], owned: dict[str, list[facts.Table]]) -> str:
    names = {claim.partition(".")[0] for claim in claimed}
    return ", ".join(owner for owner, group in owned.items() if names & {one.name for one in group})


def _tables(owner: str, group: list[facts.Table]) -> str:
    parts = [
        f"### {one.name}\n\n{tables.purpose(one)}\n\n"
        + table(("column", "type", "may be null", "key"), [_column(column) for column in one.columns])
        for one in group
    ]
    return f"## Tables of {owner}\n\n" + "\n".join(parts)


def _column(column: facts.Column) -> tuple[str, ...]:
    keys = ["primary key"] if column.primary_key else []
    if column.references:
        keys.append(f"[{code(column.references.table)}](#{column.references.table})")
    return code(column.name), column.type, "yes" if column.nullable else "", ", ".join(keys)
