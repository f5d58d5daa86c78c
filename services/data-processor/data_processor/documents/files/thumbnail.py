"""Small pictures of documents."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_TYPE = "image/webp"
BOX = (320, 320)
_QUALITY = 80


def encoded(picture: Image.Image) -> bytes:
    """Return a picture as WebP."""
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()
