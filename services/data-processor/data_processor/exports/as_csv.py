"""Exports as CSV (RFC 4180), one row for each value. No cell is a formula for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from data_processor.exports.columns import Column, chosen, plain, rows
from data_processor.exports.options import ExportOptions
from data_processor.exports.selectors import Piece

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(pieces: Iterable[Piece], options: ExportOptions) -> Iterator[bytes]:
    """Yield the export in parts: UTF-8 without a byte order mark."""
    columns = chosen(include_metadata=options.include_metadata)
    yield _lines([[column.name for column in columns]])
    for document, _, values in pieces:
        if values:
            yield _lines(
                [_cell(column, cell) for column, cell in zip(columns, row, strict=True)]
                for row in rows(document, values, columns)
            )


def _lines(cells: Iterable[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(cells)
    return text.getvalue().encode()


def _cell(column: Column, cell: Any) -> Any:
    written = plain(cell)
    return guarded(written) if column.kind in ("text", "table") and written is not None else written


def guarded(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: with a `'` before it where it could be one.

    Text that begins with `'` before such a character gets one more, so that removing the first gives the text back.
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULAS) else text
