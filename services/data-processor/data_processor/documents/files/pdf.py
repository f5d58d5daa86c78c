"""PDFs, by PDFium: page sizes, the text layer, and a picture of the first page."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from data_processor import settings_typed
from data_processor.documents.files import xref
from data_processor.documents.files.broken import BrokenFileError

_SIDE_MAX = 14_400.0
"""200 inches, the largest page that ISO 32000-1 (annex C) promises to work."""
_SCALE = 100
_NO_PASSWORD_FITS = 4

# PDFium may not be called from two threads at once, not even for two documents.
_lock = threading.Lock()


class TextSpan(TypedDict):
    """A run of text on one line: page from 1, box [x, y, width, height] in points from the top left corner."""

    page: int
    box: list[float]
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Width and height of each page in points, as it is shown, and the text that the PDF carries."""

    page_sizes: list[tuple[float, float]]
    text: list[TextSpan]


def read(data: bytes) -> Reading:
    """Measure a PDF and read its text layer, up to the configured number of characters. Raises BrokenFileError."""
    xref.require_intact(data)
    with _opened(data) as document:
        limit = settings_typed.current().pdf_max_pages
        if len(document) > limit:
            raise BrokenFileError(f"the PDF has {len(document)} pages: up to {limit} are taken", code="too_many_pages")
        sizes = [_size(document, number) for number in range(len(document))]
        return Reading(sizes, _text(document, settings_typed.current().pdf_text_max_chars))


def render_first_page(data: bytes, box: tuple[int, int]) -> Image.Image:
    """Return the first page, no larger than `box`. Raises BrokenFileError."""
    with _opened(data) as document:
        width, height = _size(document, 0)
        page = document[0]
        try:
            picture = page.render(scale=min(box[0] / width, box[1] / height), may_draw_forms=False).to_pil()
        finally:
            page.close()
        return picture.convert("RGB")


@contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    with _lock:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code == _NO_PASSWORD_FITS:
                raise BrokenFileError("the PDF is encrypted: remove its password first", code="encrypted") from error
            raise BrokenFileError("the PDF is damaged or has no pages", cause=error) from error
        try:
            yield document
        except (pypdfium2.PdfiumError, ctypes.ArgumentError, MemoryError) as error:
            raise BrokenFileError("the PDF is damaged: a page cannot be read", cause=error) from error
        finally:
            document.close()


def _size(document: pypdfium2.PdfDocument, number: int) -> tuple[float, float]:
    width, height = document.get_page_size(number)
    if not all(math.isfinite(side) and 0 < side <= _SIDE_MAX for side in (width, height)):
        raise BrokenFileError(
            f"page {number + 1} of the PDF measures {width:g} x {height:g} points: up to {_SIDE_MAX:g} are taken",
            code="page_size",
        )
    return round(width, 3), round(height, 3)


def _text(document: pypdfium2.PdfDocument, room: int) -> list[TextSpan]:
    spans: list[TextSpan] = []
    for number in range(len(document)):
        page = document[number]
        try:
            textpage = page.get_textpage()
            try:
                for index in range(textpage.count_rects()):
                    corners = textpage.get_rect(index)
                    text = textpage.get_text_bounded(*corners).replace("\0", "").strip()
                    if len(text) > room:
                        return spans
                    room -= len(text)
                    if text:
                        spans.append({"page": number + 1, "box": _upright(page, corners), "text": text})
            finally:
                textpage.close()
        finally:
            page.close()
    return spans


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
