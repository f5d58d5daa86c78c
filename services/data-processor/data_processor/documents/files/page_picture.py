"""Pictures of pages for clients: WebP, whose files are much smaller than PNG and sharper than JPEG at letters."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

TYPE = "image/webp"
WIDTH_MAX = 2400
WIDTH = 1200
PIXELS_MAX = 8_000_000
"""A page that is much higher than wide is drawn narrower than asked for."""
_QUALITY = 80
_EFFORT = 2
"""Of 0 to 6: more takes several times longer and saves a tenth."""
_SIDE_MAX = 16_383
"""Of WebP."""


def within(width: int, ratio: float) -> tuple[int, int]:
    """Return the sides of a picture whose height is `ratio` times its width: this width, or what the limits permit."""
    widest = min(width, math.sqrt(PIXELS_MAX / ratio), _SIDE_MAX / ratio)
    return max(1, round(widest)), max(1, round(widest * ratio))


def encoded(picture: Image.Image) -> bytes:
    """Return a picture as WebP."""
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return out.getvalue()
