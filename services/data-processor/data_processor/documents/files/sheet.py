"""The page of a PDF as it is shown: turned, cropped, and in points of 1/72 inch."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium
from servicekit.codes import Code

from data_processor.documents.files.broken import BrokenFileError

SIDE_MIN = 1.0
SIDE_MAX = 1_000_000.0
"""About 350 metres. ISO 32000-1 guarantees 14,400 points only, but rolls, plans and web pages are longer."""
_FINE = 100
"""PDFium rounds places to whole numbers."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The size of a page, and the places on it of PDF space's origin and unit vectors."""

    width: float
    height: float
    origin: tuple[float, float]
    along_x: tuple[float, float]
    along_y: tuple[float, float]

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point of PDF space, from the page's top left corner."""
        return (
            self.origin[0] + x * self.along_x[0] + y * self.along_y[0],
            self.origin[1] + x * self.along_x[1] + y * self.along_y[1],
        )


def sheet(page: pypdfium2.PdfPage, number: int, unit: float = 1.0) -> Sheet:
    """Return the sheet of page `number`, whose `UserUnit` is `unit`. Raises BrokenFileError for an unusable size."""
    width, height = page.get_size()
    own = page.get_mediabox(fallback_ok=False)
    # PDFium falls back to US Letter if a box has no area or no numbers.
    empty = own is not None and (own[0] == own[2] or own[1] == own[3])
    sides = (width * unit, height * unit)
    if empty or not all(math.isfinite(side) and SIDE_MIN <= side <= SIDE_MAX for side in sides):
        measures = "no usable size" if empty else f"{sides[0]:,.10g} x {sides[1]:,.10g} points"
        raise BrokenFileError(
            f"page {number} of the PDF has {measures}: sides from {SIDE_MIN:g} to {SIDE_MAX:,.0f} points are accepted",
            code=Code.PAGE_SIZE,
        )
    x, y, far = 0.0, 0.0, max(width, height)
    origin, right, up = (_place(page, *point) for point in ((x, y), (x + far, y), (x, y + far)))
    return Sheet(
        round(sides[0], 3),
        round(sides[1], 3),
        (origin[0] * unit, origin[1] * unit),
        ((right[0] - origin[0]) * unit / far, (right[1] - origin[1]) * unit / far),
        ((up[0] - origin[0]) * unit / far, (up[1] - origin[1]) * unit / far),
    )


def _place(page: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    width, height = (round(side * _FINE) for side in page.get_size())
    pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
    return across.value / _FINE, down.value / _FINE
