"""Exports as JSON: documents with their values, and at the end how many there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import orjson
from typing_extensions import TypedDict

from data_processor.choices import MediaType, ValidationStatus, ValueType
from data_processor.database.statements import Row
from data_processor.exports.columns import Column, chosen, plain, typed
from data_processor.exports.options import ExportOptions
from data_processor.exports.selectors import Piece


class ExportedCount(TypedDict):
    """How many documents and values an export has."""

    documents: int
    values: int


class _ValueMetadata(TypedDict, total=False):
    label_type: str
    confidence: float | None
    x: float
    y: float
    width: float
    height: float
    expected_format: str | None
    template_id: int | None
    template_version: int | None
    reviewed_by: int | None
    reviewed_at: datetime | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime


class ExportedValue(_ValueMetadata):
    """A value. Dates are ISO 8601, amounts decimals as text. Without metadata, it has the required keys alone."""

    value_id: int
    page: int
    label: str
    text: str | None
    value_type: ValueType | None
    value_text: str | None
    value_date: date | None
    value_amount: str | None
    value_table: list[list[str]] | None
    status: ValidationStatus
    reason: str | None


class _DocumentMetadata(TypedDict, total=False):
    channel_id: int
    media_type: MediaType
    file_size: int
    sha256: str
    page_count: int
    uploaded_by: int | None
    uploaded_at: datetime


class ExportedDocument(_DocumentMetadata):
    """A document with its values."""

    document_id: int
    filename: str
    values: list[ExportedValue]


class Export(TypedDict):
    """An export."""

    documents: list[ExportedDocument]
    count: ExportedCount


def write(pieces: Iterable[Piece], options: ExportOptions) -> Iterator[bytes]:
    """Yield the export in parts."""
    columns = chosen(include_metadata=options.include_metadata)
    of_document = [column for column in columns if column.about_document]
    of_value = [column for column in columns if not column.about_document]
    count: ExportedCount = {"documents": 0, "values": 0}
    separator = b""
    yield b'{"documents": ['
    for document, first, values in pieces:
        if first:
            opening = b"]},\n" if count["documents"] else b"\n"
            yield opening + orjson.dumps(_cells(document, of_document))[:-1] + b', "values": ['
            count["documents"] += 1
            separator = b"\n "
        for value in values:
            yield separator + orjson.dumps(_cells(typed(value), of_value))
            separator = b",\n "
        count["values"] += len(values)
    yield (b"]}\n" if count["documents"] else b"") + b'], "count": ' + orjson.dumps(count) + b"}\n"


def _cells(row: Row, columns: list[Column]) -> dict[str, Any]:
    return {column.name: row[column.name] if column.kind == "table" else plain(row[column.name]) for column in columns}
