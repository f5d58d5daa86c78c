"""Draws the pages of PDFs, with PDFium: text of the standard fonts, lines and grey areas."""

from __future__ import annotations

import ctypes
import io
import re
from typing import Literal

import pypdfium2
import pypdfium2.raw as pdfium

Align = Literal["left", "right"]

_WRITE_ANSI = "cp1252"
"""The characters of the standard fonts."""
_IDENTIFIER = re.compile(rb"(<)([0-9A-F]{32})(?=>)")
_MOMENT = re.compile(rb"(?<=CreationDate\(D:)[0-9]{14}")
_EPOCH = b"19700101000000"


class Paper:
    """A PDF that is being drawn. Places are in points from the upper left corner of a page."""

    def __init__(self, width: float, height: float, pages: int) -> None:
        self._height = height
        self._document = pypdfium2.PdfDocument.new()
        self._pages = [self._document.new_page(width, height) for _ in range(pages)]

    def text(
        self, page: int, x: float, baseline: float, text: str, *, font: str, size: float, align: Align = "left"
    ) -> None:
        """Write a line of text that begins, or ends, at `x`."""
        text.encode(_WRITE_ANSI)
        written = pdfium.FPDFPageObj_NewTextObj(self._document, font.encode(), size)
        pdfium.FPDFText_SetText(written, _wide(text))
        if align == "right":
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            pdfium.FPDFPageObj_GetBounds(written, left, bottom, right, top)
            x -= right.value
        pdfium.FPDFPageObj_Transform(written, 1, 0, 0, 1, x, self._height - baseline)
        pdfium.FPDFPage_InsertObject(self._pages[page - 1], written)

    def rectangle(self, page: int, x: float, y: float, width: float, height: float, *, filled: bool = False) -> None:
        """Draw the outline of a rectangle, or fill it with light grey."""
        drawn = pdfium.FPDFPageObj_CreateNewRect(x, self._height - y - height, width, height)
        if filled:
            pdfium.FPDFPageObj_SetFillColor(drawn, 225, 225, 225, 255)
            pdfium.FPDFPath_SetDrawMode(drawn, pdfium.FPDF_FILLMODE_ALTERNATE, False)
        else:
            pdfium.FPDFPageObj_SetStrokeColor(drawn, 90, 90, 90, 255)
            pdfium.FPDFPageObj_SetStrokeWidth(drawn, 0.7)
            pdfium.FPDFPath_SetDrawMode(drawn, pdfium.FPDF_FILLMODE_NONE, True)
        pdfium.FPDFPage_InsertObject(self._pages[page - 1], drawn)

    def finished(self) -> bytes:
        """Return the file."""
        for page in self._pages:
            pdfium.FPDFPage_GenerateContent(page)
            page.close()
        out = io.BytesIO()
        self._document.save(out)
        self._document.close()
        # PDFium gives each file another identifier, and the moment at which it was made.
        same = _IDENTIFIER.sub(lambda found: found[1] + b"0" * len(found[2]), out.getvalue())
        return _MOMENT.sub(_EPOCH, same)


def _wide(text: str) -> pdfium.FPDF_WIDESTRING:
    encoded = ctypes.create_string_buffer((text + "\0").encode("utf-16-le"))
    return ctypes.cast(encoded, pdfium.FPDF_WIDESTRING)
