"""The text of a PDF's page as it is shown: its text layer, and what was filled into its form."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from data_processor.documents.files.sheet import Sheet
from data_processor.documents.files.words import Placed

_BUTTONS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_WRITTEN = (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
_NOT_SHOWN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD = 1 << 13
_TICK = "X"
"""The text of a ticked box. Its sign on the page may be any letter of a font of signs."""
_HYPHENS = (0x02, 0xAD, 0xFFFE)
"""PDFium's codes for a hyphen at the end of a line."""

_Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form: its box, with its value as text. `replaces` what is drawn there: a sign, or stars."""

    box: Placed
    replaces: bool


def fields(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, sheet: Sheet) -> list[Field]:
    """Return the fields of a page that are shown. Passwords and boxes that are not ticked have no text."""
    if document.formenv is None:
        return []
    found = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        try:
            field = _field(document.formenv, annotation, sheet)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
        if field is not None:
            found.append(field)
    return found


def _field(form: pypdfium2.PdfFormEnv, annotation: object, sheet: Sheet) -> Field | None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    rect = pdfium.FS_RECTF()
    if kind not in _BUTTONS + _WRITTEN or pdfium.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN:
        return None
    if not pdfium.FPDFAnnot_GetRect(annotation, rect):
        return None
    secret = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD and kind not in _BUTTONS
    text = ""
    if kind in _BUTTONS:
        text = _TICK if pdfium.FPDFAnnot_IsChecked(form, annotation) else ""
    elif not secret:
        size = pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, None, 0)
        value = (ctypes.c_ushort * max(1, size // 2))()
        pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, value, size)
        text = _printable(bytes(value).decode("utf-16-le", "replace"))
    corners = [sheet.point(rect.left, rect.bottom), sheet.point(rect.right, rect.top)]
    return Field(_around(text, corners), bool(kind in _BUTTONS or secret))


def words(page: pypdfium2.PdfPage, filled: list[Field], sheet: Sheet, max_chars: int) -> list[Placed]:
    """Return the words of a page into which its form was drawn, as they were drawn, up to that number of characters."""
    replaced = [field.box for field in filled if field.replaces]
    found = [word for word in _drawn(page, sheet, max_chars) if not any(_inside(word, box) for box in replaced)]
    for field in filled:
        # A value without an appearance is drawn by viewers when they open the form.
        if not any(_inside(word, field.box) for word in found):
            found += _spread(field.box)
    return [shown for word in found if (shown := _clipped(word, sheet)) is not None]


def _drawn(page: pypdfium2.PdfPage, sheet: Sheet, max_chars: int) -> Iterator[Placed]:
    textpage = page.get_textpage()
    try:
        text: list[str] = []
        places: _Points = []
        for index in range(min(textpage.count_chars(), max_chars)):
            char = _char(pdfium.FPDFText_GetUnicode(textpage, index))
            if char.isspace():
                yield from _word(text, places)
                text, places = [], []
            elif char:
                corners = _corners(textpage, index, sheet)
                # PDFium separates no words of different fields.
                if text and _are_apart(places[-2:], corners):
                    yield from _word(text, places)
                    text, places = [], []
                text.append(char)
                places += corners
        yield from _word(text, places)
    finally:
        textpage.close()


def _char(code: int) -> str:
    """Return a character; a space for what separates words, and nothing for what has no place."""
    if code in _HYPHENS:
        return "-"
    if code < 0x20:
        return " " if code else ""
    return chr(code) if code <= 0x10FFFF and code != 0xFFFF else ""


def _corners(textpage: pypdfium2.PdfTextPage, index: int, sheet: Sheet) -> _Points:
    left, bottom, right, top = textpage.get_charbox(index)
    if left == right or bottom == top:
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
    return [sheet.point(left, bottom), sheet.point(right, top)]


def _are_apart(one: _Points, other: _Points) -> bool:
    """Whether more than a character's size lies between two characters."""
    size = max(abs(a[axis] - b[axis]) for a, b in (one, other) for axis in (0, 1))
    spaces = (
        max(min(a[axis] for a in one), min(b[axis] for b in other))
        - min(max(a[axis] for a in one), max(b[axis] for b in other))
        for axis in (0, 1)
    )
    return max(spaces) > size


def _word(chars: list[str], places: _Points) -> Iterator[Placed]:
    text = _printable("".join(chars))
    if text:
        across, down = (abs(places[0][axis] - places[-2][axis]) for axis in (0, 1))
        yield _around(text, places, upright=across >= down)


def _printable(text: str) -> str:
    # PDFium returns characters beyond the first 65,536 as two halves.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in whole).strip()


def _around(text: str, points: _Points, *, upright: bool = True) -> Placed:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Placed(text, min(xs), min(ys), max(xs), max(ys), upright)


def _inside(word: Placed, box: Placed) -> bool:
    x, y = word.centre
    return box.left <= x <= box.right and box.top <= y <= box.bottom


def _spread(box: Placed) -> Iterator[Placed]:
    """Divide a box between the words of its text, by their length."""
    parts = box.text.split()
    step = (box.right - box.left) / max(1, sum(map(len, parts)) + len(parts) - 1)
    left = box.left
    for part in parts:
        yield Placed(part, left, box.top, left + len(part) * step, box.bottom)
        left += (len(part) + 1) * step


def _clipped(word: Placed, sheet: Sheet) -> Placed | None:
    x, y = word.centre
    if not (0 <= x <= sheet.width and 0 <= y <= sheet.height and word.right > word.left and word.bottom > word.top):
        return None
    return Placed(
        word.text,
        max(0.0, word.left),
        max(0.0, word.top),
        min(sheet.width, word.right),
        min(sheet.height, word.bottom),
        word.upright,
    )
