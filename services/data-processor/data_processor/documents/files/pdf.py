"""PDFs, with PDFium: sizes, words and pictures of pages. Not thread-safe, like PDFium itself.

What PDFium opens is accepted, as ordinary viewers do; `xref.damage` says what is wrong with it.
"""

from __future__ import annotations

import ctypes
import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image
from servicekit.codes import Code

from data_processor.documents.files import page_text, xref
from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.measured import Measured
from data_processor.documents.files.sheet import Sheet, sheet
from data_processor.documents.files.words import PageWord, in_reading_order

_UNIT = b"/UserUnit"
_POINTS_PER_INCH = 72
_SCAN_SHARE = 0.6
_SCAN_DEPTH = 3
"""Forms within forms in which a scan is looked for."""

# It tells each oddity of a file.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


class Pdf:
    """An open PDF. Its pages count from 1."""

    def __init__(self, document: pypdfium2.PdfDocument, data: bytes) -> None:
        self._document = document
        self._data = data

    @cached_property
    def _units(self) -> dict[int, float]:
        # Objects outside of object streams are not compressed.
        if _UNIT not in self._data and b"/ObjStm" not in self._data:
            return {}
        return _user_units(self._document)

    def __len__(self) -> int:
        return len(self._document)

    @contextmanager
    def page(self, number: int) -> Iterator[tuple[pypdfium2.PdfPage, Sheet]]:
        """Yield a page and its sheet. Raises BrokenFileError if the page is missing or has no usable size."""
        try:
            page = self._document[number - 1]
        except (pypdfium2.PdfiumError, IndexError) as error:
            why = "the file was cut off" if xref.is_cut(self._data) else "it cannot be read"
            raise BrokenFileError(f"the PDF is damaged: page {number} is missing: {why}", cause=error) from error
        try:
            yield page, sheet(page, number, self._units.get(number, 1.0))
        finally:
            page.close()

    def words(self, number: int, max_chars: int) -> list[PageWord]:
        """Return the words of a page in reading order, its form's values included."""
        with self.page(number) as (page, shown):
            filled = page_text.fields(self._document, page, shown)
            # Draws the form and other annotations into the page, so that their text has a place.
            flattened = pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS
            if not flattened:
                return in_reading_order(page_text.words(page, filled, shown, max_chars))
        with self.page(number) as (page, shown):
            return in_reading_order(page_text.words(page, filled, shown, max_chars))

    def scan_dpi(self, number: int) -> float | None:
        """Return the resolution of the picture that fills most of a page, as a scanner made it; None if none does."""
        with self.page(number) as (page, shown):
            width, height = page.get_size()
            unit = shown.width / width
            for picture in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=_SCAN_DEPTH):
                left, bottom, right, top = picture.get_bounds()
                area = (right - left) * (top - bottom)
                if area > _SCAN_SHARE * width * height:
                    across, down = picture.get_px_size()
                    return float(_POINTS_PER_INCH * math.sqrt(across * down / area) / unit)
        return None

    def picture(self, number: int, width: int, max_pixels: int, max_height: float = math.inf) -> Image.Image:
        """Return a picture of a page, with its form: `width` pixels wide, or as wide as the limits permit."""
        with self.page(number) as (page, shown):
            ratio = shown.width / shown.height
            widest = min(width, max_height * ratio, math.sqrt(max_pixels * ratio))
            scale = widest / page.get_size()[0]
            rendered: Image.Image = page.render(scale=scale).to_pil()
            return rendered.convert("RGB")


@contextmanager
def opened(data: bytes) -> Iterator[Pdf]:
    """Open a PDF. Raises BrokenFileError, also for errors within the block."""
    raw = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not raw:
        # The error code is valid only right after a failure, so PdfDocument does not open the file itself.
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD:
            raise BrokenFileError("the PDF is encrypted: remove its password first", code=Code.ENCRYPTED)
        why = "its end is missing; it was cut off" if xref.is_cut(data) else "it cannot be opened"
        raise BrokenFileError(f"the PDF is damaged: {why}")
    document = pypdfium2.PdfDocument(raw)
    try:
        if len(document) < 1:
            raise BrokenFileError("the PDF has no pages")
        document.init_forms()
        yield Pdf(document, data)
    except (pypdfium2.PdfiumError, ctypes.ArgumentError, MemoryError) as error:
        raise BrokenFileError("the PDF is damaged: a page cannot be read", cause=error) from error
    finally:
        document.close()


def measure(data: bytes, max_pages: int) -> Measured:
    """Return the sizes of a PDF's pages. Raises BrokenFileError."""
    with opened(data) as document:
        if len(document) > max_pages:
            raise BrokenFileError(
                f"the PDF has {len(document)} pages: up to {max_pages} are accepted", code=Code.TOO_MANY_PAGES
            )
        sizes = []
        for number in range(1, len(document) + 1):
            with document.page(number) as (_, shown):
                sizes.append((shown.width, shown.height))
        return Measured(sizes, xref.damage(data))


def words(data: bytes, number: int, max_chars: int) -> list[PageWord]:
    """Return the words of one page, with boxes in points of the page as it is shown. Raises BrokenFileError."""
    with opened(data) as document:
        return document.words(number, max_chars)


def render(data: bytes, number: int, width: int, max_pixels: int) -> Image.Image:
    """Return a picture of one page, at most `width` pixels wide. Raises BrokenFileError."""
    with opened(data) as document:
        return document.picture(number, width, max_pixels)


def thumbnail(data: bytes, box: tuple[int, int]) -> Image.Image:
    """Return the first page, no larger than `box`. Raises BrokenFileError."""
    with opened(data) as document:
        return document.picture(1, box[0], box[0] * box[1], box[1])


def _user_units(document: pypdfium2.PdfDocument) -> dict[int, float]:
    """Return the `UserUnit` of the pages that have one, which PDFium does not read."""
    # As PDFium writes a file, it has no compressed objects, no damage and no encryption.
    written = io.BytesIO()
    document.save(written, flags=pdfium.FPDF_REMOVE_SECURITY)
    units: dict[int, float] = {}
    if _UNIT not in written.getvalue():
        return units
    try:
        for number, page in enumerate(pypdf.PdfReader(written).pages, 1):
            unit = page.get(_UNIT.decode())
            if isinstance(unit, int | float) and math.isfinite(unit) and unit > 0:
                units[number] = float(unit)
    except Exception:
        # Hostile objects raise exceptions of many types. PDFium shows such a page without its unit, and so do we.
        return {}
    return units
