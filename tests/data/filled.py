"""PDF forms: text fields on the pages of a PDF, filled in as a person does in a viewer."""

from __future__ import annotations

import io
from typing import NamedTuple

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)  # fmt: skip

from tests.data.paper import Align
from tests.data.scans import Box

_PRINTED = 4
"""The flag of a field that is shown in print, too."""
_ALIGNS: dict[Align, int] = {"left": 0, "right": 2}


class Entry(NamedTuple):
    """A field of a form: its box is in points from the upper left corner of its page. `None`: left empty."""

    name: str
    page: int
    box: Box
    text: str | None
    align: Align


def form(pdf: bytes, entries: list[Entry], size: float) -> bytes:
    """Return a PDF with these fields, in letters of that size. Viewers draw them, as `NeedAppearances` says."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    look = TextStringObject(f"/Helv {size} Tf 0 g")
    helvetica = _dictionary(Type="Font", Subtype="Type1", BaseFont="Helvetica", Encoding="WinAnsiEncoding")
    fonts = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/Helv"): helvetica})})
    fields = ArrayObject()
    for entry in entries:
        page = writer.pages[entry.page - 1]
        x, y, width, height = entry.box
        top = float(page.mediabox.height) - y
        field = _dictionary(Type="Annot", Subtype="Widget", FT="Tx")
        field[NameObject("/T")] = TextStringObject(entry.name)
        field[NameObject("/Rect")] = ArrayObject(map(FloatObject, (x, top - height, x + width, top)))
        field[NameObject("/DA")] = look
        field[NameObject("/F")] = NumberObject(_PRINTED)
        field[NameObject("/Q")] = NumberObject(_ALIGNS[entry.align])
        if entry.text is not None:
            field[NameObject("/V")] = TextStringObject(entry.text)
        added = writer.add_annotation(page, field)
        fields.append(added.indirect_reference)
    root = _dictionary()
    root |= {
        NameObject("/Fields"): fields, NameObject("/DA"): look, NameObject("/DR"): fonts,
        NameObject("/NeedAppearances"): BooleanObject(True),
    }  # fmt: skip
    writer.root_object[NameObject("/AcroForm")] = root
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _dictionary(**names: str) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{key}"): NameObject(f"/{name}") for key, name in names.items()})
