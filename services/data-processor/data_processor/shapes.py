"""Select lists of shapes. A shape is a TypedDict: the keys that clients get of a row, named like its columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints


def columns(alias: str, shape: type, **expressions: str | None) -> str:
    """Return the select list for the keys of `shape`: columns of `alias`.

    `expressions` has SQL for keys that are no columns, and None for keys that Python adds. Takes constants only.
    """
    return ", ".join(f"{sql} AS {key}" for key, sql in _selected(alias, shape, expressions))


def json_object(alias: str, shape: type, **expressions: str | None) -> str:
    """Return the expression with which Postgres writes a row of `alias` as the JSON object of `shape`."""
    pairs = ", ".join(f"'{key}', {sql}" for key, sql in _selected(alias, shape, expressions))
    return f"json_build_object({pairs})"


def _selected(alias: str, shape: type, expressions: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    for key in get_type_hints(shape):
        sql = expressions.get(key, f"{alias}.{key}")
        if sql is not None:
            yield key, sql
