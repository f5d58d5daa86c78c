"""PDFs, with PDFium: page sizes, the text layer, a picture of the first page. Not thread-safe, like PDFium itself."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image
from servicekit.codes import Code

from data_processor.documents.files import xref
from data_processor.documents.files.broken import BrokenFileError

_SIDE_MIN = 1.0
_SIDE_MAX = 14_400.0
"""200 inches, the largest page that ISO 32000-1 (annex C) guarantees."""
_SCALE = 100


class TextSpan(TypedDict):
    """A run of text on one line: page from 1, box [x, y, width, height] in points from the top left corner."""

    page: int
    box: list[float]
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Width and height of each displayed page in points, and the PDF's text layer."""

    page_sizes: list[tuple[float, float]]
    text: list[TextSpan]


def read(data: bytes, max_pages: int, max_chars: int) -> Reading:
    """Measure a PDF and read its text layer, up to that number of characters. Raises BrokenFileError."""
    xref.require_intact(data)
    with _opened(data) as document:
        if len(document) > max_pages:
            raise BrokenFileError(
                f"the PDF has {len(document)} pages: up to {max_pages} are accepted", code=Code.TOO_MANY_PAGES
            )
        sizes: list[tuple[float, float]] = []
        text: list[TextSpan] = []
        room = max_chars
        for number in range(1, len(document) + 1):
            with _page(document, number) as page:
                sizes.append(_size(page, number))
                if room > 0:
                    spans = list(_text(page, number, room))
                    room -= sum(len(span["text"]) for span in spans)
                    text += spans
        return Reading(sizes, text)


def render_first_page(data: bytes, box: tuple[int, int]) -> Image.Image:
    """Return the first page, no larger than `box`. Raises BrokenFileError."""
    with _opened(data) as document, _page(document, 1) as page:
        width, height = _size(page, 1)
        scale = min(box[0] / width, box[1] / height)
        picture: Image.Image = page.render(scale=scale, may_draw_forms=False).to_pil()
        return picture.convert("RGB")


@contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    raw = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not raw:
        # The error code is valid only right after a failure, so PdfDocument does not open the file itself.
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD:
            raise BrokenFileError("the PDF is encrypted: remove its password first", code=Code.ENCRYPTED)
        raise BrokenFileError("the PDF is damaged: it cannot be opened")
    document = pypdfium2.PdfDocument(raw)
    try:
        if len(document) < 1:
            raise BrokenFileError("the PDF has no pages")
        yield document
    except (pypdfium2.PdfiumError, ctypes.ArgumentError, MemoryError) as error:
        raise BrokenFileError("the PDF is damaged: a page cannot be read", cause=error) from error
    finally:
        document.close()


@contextmanager
def _page(document: pypdfium2.PdfDocument, number: int) -> Iterator[pypdfium2.PdfPage]:
    page = document[number - 1]
    try:
        yield page
    finally:
        page.close()


def _size(page: pypdfium2.PdfPage, number: int) -> tuple[float, float]:
    width, height = page.get_size()
    own = page.get_mediabox(fallback_ok=False)
    # PDFium falls back to US Letter if a box has no area or no numbers.
    empty = own is not None and (own[0] == own[2] or own[1] == own[3])
    if empty or not all(math.isfinite(side) and _SIDE_MIN <= side <= _SIDE_MAX for side in (width, height)):
        measures = "no usable size" if empty else f"{width:g} x {height:g} points"
        raise BrokenFileError(
            f"page {number} of the PDF has {measures}: sides from {_SIDE_MIN:g} to {_SIDE_MAX:g} points are accepted",
            code=Code.PAGE_SIZE,
        )
    return round(width, 3), round(height, 3)


def _text(page: pypdfium2.PdfPage, number: int, room: int) -> Iterator[TextSpan]:
    textpage = page.get_textpage()
    try:
        for index in range(textpage.count_rects()):
            corners = textpage.get_rect(index)
            text = textpage.get_text_bounded(*corners).replace("\0", "").strip()
            room -= len(text)
            if room < 0:
                return
            if text:
                yield {"page": number, "box": _upright(page, corners), "text": text}
    finally:
        textpage.close()


def _upright(page: pypdfium2.PdfPage, corners: tuple[float, float, float, float]) -> list[float]:
    # From PDF space (origin bottom left, before rotation and cropping) to the page as it is shown, in points.
    left, bottom, right, top = corners
    points = [_shown(page, left, bottom), _shown(page, right, top)]
    xs, ys = sorted(x for x, _ in points), sorted(y for _, y in points)
    return [xs[0], ys[0], round(xs[1] - xs[0], 2), round(ys[1] - ys[0], 2)]


def _shown(page: Any, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    width, height = (round(side * _SCALE) for side in page.get_size())
    pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
    return across.value / _SCALE, down.value / _SCALE
