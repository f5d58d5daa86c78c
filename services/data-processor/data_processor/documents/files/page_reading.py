"""Read one page of a file: its text layer, or else its picture. Used in `child`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from data_processor.documents.files import image, pdf
from data_processor.documents.files.read_words import PageReading, Word

_DPI = 300
_SCAN_DPI = (150.0, 300.0)
"""A scan is drawn with its own pixels if it has so many: speckle is seen only before it is enlarged."""
_POINTS_PER_INCH = 72
_PICTURE_PIXELS_MAX = 9_000_000
_PICTURE_WIDTH_MAX = 6_000
_GARBLED_SHARE = 0.3
_PRIVATE_USE = range(0xE000, 0xF900)
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page to read: its number from 1, its size in its own units, and how much text to return at most."""

    number: int
    width: float
    height: float
    max_chars: int


def read(data: bytes, media_type: str, page: Wanted, max_pixels: int) -> PageReading:
    """Return what is written on a page. Raises BrokenFileError."""
    if media_type != "application/pdf":
        shrink = min(1.0, math.sqrt(_PICTURE_PIXELS_MAX / (page.width * page.height)))
        side = max(1, math.ceil(max(page.width, page.height) * shrink))
        return _recognised(image.page(data, media_type, page.number, max_pixels, (side, side)), page)
    with pdf.opened(data) as document:
        words = document.words(page.number, page.max_chars)
        if words and not _is_garbled([word["text"] for word in words]):
            return {"engine": "text-layer", "angle": 0.0, "words": [{**word, "confidence": 1.0} for word in words]}
        pixels = round(page.width / _POINTS_PER_INCH * _dpi(document.scan_dpi(page.number)))
        width = max(1, min(pixels, _PICTURE_WIDTH_MAX))
        picture = document.picture(page.number, width, min(max_pixels, _PICTURE_PIXELS_MAX))
    return _recognised(picture, page)


def _dpi(scan: float | None) -> float:
    least, most = _SCAN_DPI
    return scan if scan is not None and least <= scan <= most else _DPI


def _recognised(picture: Image.Image, page: Wanted) -> PageReading:
    # Imported late: the children that serve requests never need it, and it takes time and memory.
    from data_processor.documents.files import ocr

    found = ocr.read(picture)
    across, down = page.width / picture.width, page.height / picture.height
    words: list[Word] = [{**word, "box": _scaled(word["box"], across, down)} for word in found.words]
    return {"engine": "tesseract", "angle": found.angle, "words": words}


def _scaled(box: list[float], across: float, down: float) -> list[float]:
    return [round(side * scale, 2) for side, scale in zip(box, (across, down, across, down), strict=True)]


def _is_garbled(texts: list[str]) -> bool:
    """Return whether the PDF does not say which letters its glyphs are: then only its picture can be read."""
    letters = "".join(texts)
    unknown = sum(letter == _REPLACEMENT or ord(letter) in _PRIVATE_USE for letter in letters)
    return unknown > _GARBLED_SHARE * len(letters)
