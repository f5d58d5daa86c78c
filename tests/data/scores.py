"""Compares what a template found on a document with what is written there, and adds it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tests.data.corpus import Document
from tests.data.layouts import Area
from tests.data.scans import Box, Place
from tests.data.values import Value

_OVERLAP = 0.5
"""Share of the area of two boxes that both must have for them to be the same place."""


@dataclass
class Score:
    """Counts of documents of one kind after one transform. `raw` and `normalised` are exact matches."""

    documents: int = 0
    pages: int = 0
    read_s: float = 0.0
    apply_s: float = 0.0
    fields: int = 0
    raw: int = 0
    normalised: int = 0
    characters: int = 0
    wrong_characters: int = 0
    valid: int = 0
    wrong_valid: int = 0
    missing: int = 0
    missing_named: int = 0
    boxes: int = 0
    boxes_met: int = 0
    malformed: int = 0
    malformed_invalid: int = 0
    own_pages: int = 0
    own_pages_doubted: int = 0
    strangers: int = 0
    strangers_refused: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    def as_record(self) -> dict[str, float]:
        """Return the counts; times rounded."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


def score(document: Document, applied: dict[str, Any], places: Sequence[Place]) -> tuple[Score, list[str]]:
    """Return the counts of one document, and a line for everything that is wrong. `places` are those of its pages."""
    counted = Score(documents=1, pages=document.layout.pages)
    found = {one["label_name"]: one for one in applied["annotations"]}
    if document.trait == "stranger":
        return _stranger(document, applied, counted)
    counted.own_pages = len(applied["pages"])
    doubted = [page for page in applied["pages"] if page["needs_review"]]
    counted.own_pages_doubted = len(doubted)
    wrong = [f"{document.name}: page {page['page']} needs review: {page['reason']}" for page in doubted]
    for area in document.layout.areas:
        value, one = document.truth[area.name], found.get(area.name)
        said = None
        if value.text is None:
            said = _missing(counted, area, one, applied["missing_required"])
        else:
            said = _written(counted, area, value, one, is_malformed=area is document.malformed)
            if one is not None:
                true = places[area.page - 1].around((area.x, area.y, area.width, area.height))
                counted.boxes += 1
                counted.boxes_met += int(overlap(_box(one), true) >= _OVERLAP)
        if said:
            wrong.append(f"{document.name}: {area.name}: {said}")
    return counted, wrong


def _stranger(document: Document, applied: dict[str, Any], counted: Score) -> tuple[Score, list[str]]:
    valid = [one["label_name"] for one in applied["annotations"] if one["validation_status"] == "valid"]
    counted.strangers = 1
    counted.valid = counted.wrong_valid = len(valid)
    counted.strangers_refused = int(applied["needs_review"] and not valid)
    return counted, [] if counted.strangers_refused else [f"{document.name}: another layout was accepted: {valid}"]


def _missing(counted: Score, area: Area, one: dict[str, Any] | None, named: list[str]) -> str | None:
    counted.missing += 1
    counted.missing_named += int(area.name in named)
    if one is not None and one["validation_status"] == "valid":
        counted.valid += 1
        counted.wrong_valid += 1
    return None if area.name in named else f"is missing, and was found as {one and one['text']!r}"


def _written(counted: Score, area: Area, value: Value, one: dict[str, Any] | None, *, is_malformed: bool) -> str | None:
    assert value.text is not None
    text = one["text"] if one else ""
    status = one["validation_status"] if one else "none"
    is_raw = text == value.text
    is_normalised = one is not None and one["normalised_value"] == value.meaning
    counted.fields += 1
    counted.raw += int(is_raw)
    counted.normalised += int(is_normalised)
    counted.characters += len(value.text)
    counted.wrong_characters += min(distance(text, value.text), len(value.text))
    counted.valid += int(status == "valid")
    counted.malformed += int(is_malformed)
    counted.malformed_invalid += int(is_malformed and status == "invalid")
    # The text of an amount is not its value: `1 234,50` and `1234,50` mean the same.
    is_wrong = is_malformed or not (is_normalised if area.type in ("date", "amount") else is_raw)
    counted.wrong_valid += int(status == "valid" and is_wrong)
    if is_raw and is_normalised and not (is_malformed and status != "invalid"):
        return None
    normalised = one["normalised_value"] if one else None
    return f"{value.text!r} was read as {text!r}, means {normalised!r}, is {status}"


def _box(one: dict[str, Any]) -> Box:
    found = one["bounding_box"]
    return found["x"], found["y"], found["width"], found["height"]


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, divided by the area that they cover together."""
    shared = 1.0
    for start, length in ((0, 2), (1, 3)):
        ends = one[start] + one[length], other[start] + other[length]
        shared *= max(0.0, min(ends) - max(one[start], other[start]))
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def distance(one: str, other: str) -> int:
    """Return how many characters must be changed, added or removed to make one text the other."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, 1):
        above, row[0] = row[0], index
        for column, wanted in enumerate(other, 1):
            above, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, above + (letter != wanted))
    return row[-1]
