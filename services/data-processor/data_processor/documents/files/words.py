"""The words of a page, in reading order, once each.

A PDF stores text in the order in which it was drawn, and some writers draw it twice: as a shadow, or below a form's
field.
"""

from __future__ import annotations

import statistics
import unicodedata
from collections import defaultdict
from dataclasses import dataclass

from typing_extensions import TypedDict

_SAME_PLACE = 0.6
"""Share of the smaller box that two equal words must have in common to be one word drawn twice."""
_SAME_LINE = 0.5
"""Share of the lower word's height that two words of one line have in common at least."""
_GUTTER = 1.2
"""Width of the space between two columns, in heights of a line."""
_GAPS_MAX = 8
_CELL = 4.0
_COLUMN_ROWS = 4
_COLUMN_WORDS = 4
"""Two blocks are columns of prose from so many rows, with so many words in a row. Others are tables, read across."""


class PageWord(TypedDict):
    """A word: its box [x, y, width, height] from the page's top left corner, and its line on the page, from 0."""

    text: str
    box: list[float]
    line: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A word and its place: left, top, right and bottom on the page as it is shown. `upright` text reads across."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    upright: bool = True

    @property
    def height(self) -> float:
        """The height of the box."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def covers(self, other: Placed) -> float:
        """Return the share of the smaller box that both boxes have in common."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        smaller = min(_area(self), _area(other))
        return across * down / smaller if across > 0 and down > 0 and smaller > 0 else 0.0


Row = list[Placed]


def in_reading_order(words: list[Placed]) -> list[PageWord]:
    """Return each word once, numbered by line. Turned text comes last, in the order in which it was drawn."""
    once = _once(words)
    lines = _lines([word for word in once if word.upright])
    lines += [[word] for word in once if not word.upright]
    return [
        {
            "text": word.text,
            "box": [
                round(word.left, 2),
                round(word.top, 2),
                round(word.right - word.left, 2),
                round(word.bottom - word.top, 2),
            ],
            "line": number,
        }
        for number, line in enumerate(lines)
        for word in line
    ]


def _area(word: Placed) -> float:
    return (word.right - word.left) * word.height


def _once(words: list[Placed]) -> list[Placed]:
    kept: list[Placed] = []
    cells: dict[tuple[str, int, int], list[Placed]] = defaultdict(list)
    for word in words:
        column, row = (int(at // _CELL) for at in word.centre)
        near = (cells[word.text, column + x, row + y] for x in (-1, 0, 1) for y in (-1, 0, 1))
        if all(word.covers(other) < _SAME_PLACE for cell in near for other in cell):
            cells[word.text, column, row].append(word)
            kept.append(word)
    return kept


def _lines(words: list[Placed]) -> list[Row]:
    rows = _rows(words)
    lines: list[Row] = []
    at = 0
    while at < len(rows):
        end, gutter = _columns(rows, at)
        if gutter is None:
            lines.append(_along(rows[at]))
        else:
            block = [word for row in rows[at:end] for word in row]
            lines += _lines([word for word in block if word.centre[0] < gutter])
            lines += _lines([word for word in block if word.centre[0] >= gutter])
        at = end
    return lines


def _rows(words: list[Placed]) -> list[Row]:
    """Return the words that share a line, from the top, each row from the left."""
    rows: list[Row] = []
    bands: list[Placed] = []
    for word in sorted(words, key=lambda one: one.centre[1]):
        # A row's band is its highest word. Only the last rows can still overlap.
        for index in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            band = bands[index]
            shared = min(band.bottom, word.bottom) - max(band.top, word.top)
            if shared >= _SAME_LINE * min(band.height, word.height):
                rows[index].append(word)
                bands[index] = max(band, word, key=lambda one: one.height)
                break
        else:
            rows.append([word])
            bands.append(word)
    return [sorted(row, key=lambda one: one.left) for row in rows]


def _columns(rows: list[Row], start: int) -> tuple[int, float | None]:
    """Return where the rows from `start` end that two columns of prose share, and the middle of their gutter.

    Otherwise the next row alone, and None.
    """
    least = _GUTTER * statistics.median(word.height for word in rows[start])
    best: tuple[int, float | None] = (start + 1, None)
    for low, high in _gaps(rows[start], least)[1:-1]:
        end = start + 1
        while end < len(rows) and not _is_of_table(rows[end], (low + high) / 2):
            shared = [(max(low, left), min(high, right)) for left, right in _gaps(rows[end], least)]
            wide = [gap for gap in shared if gap[1] - gap[0] >= least]
            if not wide:
                break
            low, high = wide[0]
            end += 1
        middle = (low + high) / 2
        if end > best[0] and _are_prose(rows[start:end], middle):
            best = (end, middle)
    return best


def _gaps(row: Row, least: float) -> list[tuple[float, float]]:
    """Return the wide spaces before, between and after the words of a row; none if there are too many for prose."""
    gaps, end = [], float("-inf")
    for word in row:
        if word.left - end >= least:
            gaps.append((end, word.left))
        end = max(end, word.right)
    gaps.append((end, float("inf")))
    return gaps if len(gaps) <= _GAPS_MAX else []


def _is_of_table(row: Row, gutter: float) -> bool:
    sides = [sum((word.centre[0] < gutter) is first for word in row) for first in (True, False)]
    return all(0 < count < _COLUMN_WORDS for count in sides)


def _are_prose(rows: list[Row], gutter: float) -> bool:
    sides = [[sum((word.centre[0] < gutter) is first for word in row) for row in rows] for first in (True, False)]
    filled = [[count for count in side if count] for side in sides]
    return all(len(side) >= _COLUMN_ROWS and statistics.median(side) >= _COLUMN_WORDS for side in filled)


def _along(row: Row) -> Row:
    strong = [unicodedata.bidirectional(char) for word in row for char in word.text]
    leftward = sum(kind in ("R", "AL") for kind in strong)
    return row[::-1] if leftward > strong.count("L") else row
