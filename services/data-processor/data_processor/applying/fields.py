"""The text of a field: the words of a page whose middle lies in the label's box, in reading order."""

from __future__ import annotations

import cmath
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from data_processor.applying.registration import Transform
from data_processor.applying.words import PlacedWord, Rectangle

_LINE = 0.6
"""Two words are on different lines if their middles are further apart than this share of their height."""
_CELL = 1.2
"""Two words are in different cells if the gap between them is wider than this share of their height."""


class Piece(NamedTuple):
    """A word as it lies on the template's page."""

    text: str
    middle: complex
    width: float
    height: float
    confidence: float


class Field(NamedTuple):
    """What is in a box: its lines, and the confidence of the word that is least sure."""

    lines: list[list[Piece]]
    confidence: float

    @property
    def text(self) -> str:
        """The words, a line of the page on a line each."""
        return "\n".join(" ".join(piece.text for piece in line) for line in self.lines)

    @property
    def rows(self) -> list[list[str]]:
        """The lines as rows of a table, whose cells are separated by gaps."""
        return [_cells(line) for line in self.lines]


def read(words: Sequence[PlacedWord], transform: Transform, box: Rectangle) -> Field | None:
    """Return what is in a box of the template, or None if no word is."""
    pieces = [
        _piece(word, middle, transform)
        for word in words
        for middle in [transform.back(word.box.centre)]
        if word.text.strip() and box.holds(middle)
    ]
    if not pieces:
        return None
    return Field(_lines(pieces), min(piece.confidence for piece in pieces))


def _piece(word: PlacedWord, middle: complex, transform: Transform) -> Piece:
    # The upright box around a turned word is higher and wider than the word.
    quarter = math.pi / 2
    turn = abs((cmath.phase(transform.scale) + quarter / 2) % quarter - quarter / 2)
    across, down = math.cos(turn), math.sin(turn)
    width, height = word.box.width, word.box.height
    if abs((cmath.phase(transform.scale) + math.pi / 4) % math.pi) > quarter:
        width, height = height, width
    size = abs(transform.scale)
    upright = (across * height - down * width) / (across**2 - down**2)
    along = (across * width - down * height) / (across**2 - down**2)
    return Piece(
        word.text.strip(), middle, max(along, 0.4 * width) / size, max(upright, 0.4 * height) / size, word.confidence
    )


def _lines(pieces: list[Piece]) -> list[list[Piece]]:
    height = statistics.median(piece.height for piece in pieces)
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.middle.imag, piece.middle.real)):
        if lines and piece.middle.imag - statistics.fmean(one.middle.imag for one in lines[-1]) <= _LINE * height:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda piece: piece.middle.real) for line in lines]


def _cells(line: list[Piece]) -> list[str]:
    cells = [[line[0]]]
    for before, piece in itertools.pairwise(line):
        gap = (piece.middle.real - piece.width / 2) - (before.middle.real + before.width / 2)
        if gap > _CELL * max(before.height, piece.height):
            cells.append([piece])
        else:
            cells[-1].append(piece)
    return [" ".join(piece.text for piece in cell) for cell in cells]
