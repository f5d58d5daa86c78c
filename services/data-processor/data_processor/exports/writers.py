"""The formats of exports: how each is written, its media type and the suffix of its file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from data_processor.exports import as_csv, as_json, as_sql
from data_processor.exports.options import ExportOptions, Format
from data_processor.exports.selectors import Piece


class Writer(NamedTuple):
    """A format."""

    write: Callable[[Iterable[Piece], ExportOptions], Iterator[bytes]]
    media_type: str


WRITERS: dict[Format, Writer] = {
    "json": Writer(as_json.write, "application/json"),
    "csv": Writer(as_csv.write, "text/csv; charset=utf-8"),
    "sql": Writer(as_sql.write, "application/sql"),
}
