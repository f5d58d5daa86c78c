"""What looking at a file costs, in the request itself: the same decoding and drawing that the data-processor does."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import pypdfium2
from PIL import Image

THUMBNAIL_TYPE = "image/webp"
_BOX = (320, 320)
_QUALITY = 80
# PDFium may not be called from two threads at once.
_pdfium = threading.Lock()


@dataclass(frozen=True, slots=True)
class Found:
    """What a file is: its type, the sides of its pages, and a PDF's text."""

    media_type: str
    widths: list[float]
    heights: list[float]
    text: list[str] | None = None


def look(data: bytes) -> Found:
    """Decode an image, or read the pages of a PDF."""
    if data.startswith(b"%PDF-"):
        return _look_at_pdf(data)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.load()
        return Found("image/png", [image.width], [image.height])


def draw(data: bytes) -> bytes:
    """Return the thumbnail of a PNG."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        picture = image.convert("RGB")
    picture.thumbnail(_BOX)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()


def _look_at_pdf(data: bytes) -> Found:
    with _pdfium:
        document = pypdfium2.PdfDocument(data)
        widths, heights, text = [], [], []
        for page in document:
            width, height = page.get_size()
            widths.append(width)
            heights.append(height)
            textpage = page.get_textpage()
            text.append(textpage.get_text_bounded())
            textpage.close()
            page.close()
        document.close()
    return Found("application/pdf", widths, heights, text)
