"""Small pictures of documents."""

from __future__ import annotations

import io

from data_processor.documents.files import image, pdf

THUMBNAIL_TYPE = "image/webp"
_BOX = (320, 320)
_QUALITY = 80


def thumbnail_of(data: bytes, media_type: str) -> bytes:
    """Return a WebP of the image or of the PDF's first page, at most 320 x 320. Raises BrokenFileError."""
    if media_type == "application/pdf":
        picture = pdf.render_first_page(data, _BOX)
    else:
        picture = image.shrink(data, media_type, _BOX)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()
