"""The columns of a value: the same names in all formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import orjson

from data_processor.database.statements import Row

Kind = Literal["id", "integer", "number", "text", "date", "amount", "table", "moment"]


class Column(NamedTuple):
    """A column, and what its cells hold."""

    name: str
    kind: Kind
    about_document: bool = False
    metadata: bool = True


COLUMNS = (
    Column("value_id", "id", metadata=False),
    Column("document_id", "id", about_document=True, metadata=False),
    Column("filename", "text", about_document=True, metadata=False),
    Column("page", "integer", metadata=False),
    Column("label", "text", metadata=False),
    Column("text", "text", metadata=False),
    Column("value_type", "text", metadata=False),
    Column("value_text", "text", metadata=False),
    Column("value_date", "date", metadata=False),
    Column("value_amount", "amount", metadata=False),
    Column("value_table", "table", metadata=False),
    Column("status", "text", metadata=False),
    Column("reason", "text", metadata=False),
    Column("label_type", "text"),
    Column("confidence", "number"),
    Column("x", "number"),
    Column("y", "number"),
    Column("width", "number"),
    Column("height", "number"),
    Column("expected_format", "text"),
    Column("template_id", "id"),
    Column("template_version", "integer"),
    Column("reviewed_by", "id"),
    Column("reviewed_at", "moment"),
    Column("created_by", "id"),
    Column("created_at", "moment"),
    Column("updated_at", "moment"),
    Column("channel_id", "id", about_document=True),
    Column("media_type", "text", about_document=True),
    Column("file_size", "integer", about_document=True),
    Column("sha256", "text", about_document=True),
    Column("page_count", "integer", about_document=True),
    Column("uploaded_by", "id", about_document=True),
    Column("uploaded_at", "moment", about_document=True),
)

_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def chosen(*, include_metadata: bool) -> tuple[Column, ...]:
    """Return the columns of an export."""
    return tuple(column for column in COLUMNS if include_metadata or not column.metadata)


def typed(value: Row) -> Row:
    """Return a value's row with its normalised value in the column of its type. The other three are None."""
    normalised = None if value["normalised"] is None else orjson.loads(value["normalised"])
    columns: dict[str, Any] = dict.fromkeys(("value_text", "value_date", "value_amount", "value_table"))
    match value["value_type"], normalised:
        case "date", str():
            columns["value_date"] = date.fromisoformat(normalised)
        case "amount", str() if _DECIMAL.fullmatch(normalised):
            columns["value_amount"] = Decimal(normalised)
        case "table", list():
            columns["value_table"] = normalised
        case (("text" | None), str()):
            columns["value_text"] = normalised
    return value | columns


_AS_TEXT: dict[type, Callable[[Any], str]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    Decimal: lambda cell: format(cell, "f"),
    list: lambda cell: orjson.dumps(cell).decode(),
}


def plain(cell: Any) -> Any:
    """Return a cell as text, a number or None: dates and moments in ISO 8601, amounts as decimals."""
    # Called for every cell: a lookup by type costs a third of comparisons.
    as_text = _AS_TEXT.get(type(cell))
    return cell if as_text is None else as_text(cell)


def rows(document: Row, values: Iterable[Row], columns: tuple[Column, ...]) -> list[list[Any]]:
    """Return the cells of some values of a document."""
    return [[row[column.name] for column in columns] for row in (document | typed(value) for value in values)]
