"""The record of the last measurement of accuracy, and its tables. `python -m tests.data --record` writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

from plumbline import ROOT
from plumbline.verification.docs.markdown import table

RECORD = ROOT / "tests" / "data" / "accuracy.json"

Row = dict[str, Any]
"""The counts of tests.data.scores.Score, of one `transform` and `kind`."""


class Record(TypedDict):
    """The seed of the corpus, and the counts."""

    seed: int
    rows: list[Row]


_COLUMNS: dict[str, Callable[[Row], str]] = {
    "documents": lambda row: str(row["documents"]),
    "pages": lambda row: str(row["pages"]),
    "fields": lambda row: str(row["fields"]),
    "exact text": lambda row: _share(row["raw"], row["fields"]),
    "exact value": lambda row: _share(row["normalised"], row["fields"]),
    "character errors": lambda row: _share(row["wrong_characters"], row["characters"]),
    "wrong but valid": lambda row: _share(row["wrong_valid"], row["valid"]),
    "boxes in place": lambda row: _share(row["boxes_met"], row["boxes"]),
    "missing named": lambda row: _of(row["missing_named"], row["missing"]),
    "malformed invalid": lambda row: _of(row["malformed_invalid"], row["malformed"]),
    "own pages doubted": lambda row: _of(row["own_pages_doubted"], row["own_pages"]),
    "others refused": lambda row: _of(row["strangers_refused"], row["strangers"]),
    "read, s a page": lambda row: _seconds(row["read_s"], row["pages"]),
    "apply, s a page": lambda row: _seconds(row["apply_s"], row["pages"]),
}
_AIMS = {"text layer": 1.0, "filled form": 1.0, "clean": 0.98}
_AIM = 0.9
"""Of all other transforms."""
_WRONG_VALID_MAX = 0.005
_NOT_SUMMED = ("transform", "kind")


def load() -> Record:
    """Return the record that is kept with the code."""
    record: Record = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def tables(record: Record) -> str:
    """Return a table by transform, one by kind, and one of both."""
    rows = record["rows"]
    parts = [
        ("By transform", _grouped(rows, ("transform",), total=True)),
        ("By kind of document", _grouped(rows, ("kind",))),
        ("By transform and kind", _grouped(rows, ("transform", "kind"))),
    ]
    return "\n".join(f"## {title}\n\n{text}" for title, text in parts)


def missed(record: Record) -> list[str]:
    """Return the aims that were not reached, with what was."""
    rows = record["rows"]
    found = []
    for transform in dict.fromkeys(row["transform"] for row in rows):
        summed = _summed(row for row in rows if row["transform"] == transform)
        if summed["raw"] < _AIMS.get(transform, _AIM) * summed["fields"]:
            found.append(f"{transform} ({_share(summed['raw'], summed['fields'])} exact)")
    total = _summed(rows)
    if total["wrong_valid"] > _WRONG_VALID_MAX * total["valid"]:
        found.append(f"wrong but valid ({_share(total['wrong_valid'], total['valid'])})")
    return found


def _grouped(rows: list[Row], names: tuple[str, ...], *, total: bool = False) -> str:
    keys = list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))
    lines = [(*key, *_cells(row for row in rows if tuple(row[name] for name in names) == key)) for key in keys]
    if total:
        lines.append(("all", *_cells(rows)))
    return table((*names, *_COLUMNS), lines)


def _cells(rows: Iterable[Row]) -> list[str]:
    summed = _summed(rows)
    return [column(summed) for column in _COLUMNS.values()]


def _summed(rows: Iterable[Row]) -> Row:
    chosen = list(rows)
    return {name: sum(row[name] for row in chosen) for name in chosen[0] if name not in _NOT_SUMMED}


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _of(part: float, whole: float) -> str:
    return f"{part:.0f} of {whole:.0f}" if whole else "-"


def _seconds(seconds: float, pages: float) -> str:
    return f"{seconds / pages:.2f}" if pages else "-"
