"""Images, with Pillow. Only the decoders of accepted types are used, and only after the header's size was checked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pillow_heif
from PIL import Image, PngImagePlugin
from servicekit.codes import Code

from data_processor.documents.files import colour, jpeg, png, tiff
from data_processor.documents.files.broken import BrokenFileError, refuse_oversized, several_frames
from data_processor.documents.files.measured import Measured

_DECODERS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
    "image/heic": "HEIF",
}
_ORIENTATION = 0x0112
_SWAPPED = frozenset({5, 6, 7, 8})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SEVERAL_ALLOWED = ("MPO", "HEIF", "TIFF")
"""TIFFs have pages. A camera's JPEG (MPO) and a phone's HEIC may contain further pictures: one is the image."""

# The limit of the settings is stricter and refuses instead of only warning.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)
PngImagePlugin.MAX_TEXT_CHUNK = png.PROFILE_MAX


def measure(data: bytes, media_type: str, max_pixels: int, max_pages: int) -> Measured:
    """Return the size in pixels of each upright page. Raises BrokenFileError, also for missing pixels."""
    data, damage = _mended(data, media_type, max_pixels)
    with _opened(data, media_type, max_pixels) as image:
        if media_type == "image/tiff":
            return Measured(tiff.measure(image, data, max_pixels, max_pages), damage)
        width, height = image.size
        if _orientation(image) in _SWAPPED:
            width, height = height, width
        if media_type == "image/jpeg":
            jpeg.require_whole(data)
        elif media_type != "image/png":  # of a PNG, `_mended` has decompressed all rows
            image.load()
    return Measured([(float(width), float(height))], damage)


def page(data: bytes, media_type: str, number: int, max_pixels: int, box: tuple[int, int] | None = None) -> Image.Image:
    """Return a page upright and in sRGB, as L, RGB or RGBA, no larger than `box`. Pages count from 1.

    Raises BrokenFileError.
    """
    data, _ = _mended(data, media_type, max_pixels)
    with _opened(data, media_type, max_pixels) as image:
        if media_type == "image/tiff":
            tiff.select(image, number)
            refuse_oversized(*image.size, max_pixels)
        if box is not None:
            # JPEG can be decoded at a fraction of its size.
            image.draft(image.mode, box)
        turn = _TURNS.get(_orientation(image))
        picture = colour.readable(image)
        if box is not None:
            picture.thumbnail(box)
        if turn is not None:
            picture = picture.transpose(turn)
        picture = colour.srgb(picture, image.info.get("icc_profile"))
        picture.load()
        return picture


def _mended(data: bytes, media_type: str, max_pixels: int) -> tuple[bytes, list[str]]:
    """Return what Pillow can read of a file that viewers open, and what is damaged, in sentences."""
    if media_type == "image/png":
        return png.checked(data, max_pixels)
    return jpeg.ended(data) if media_type == "image/jpeg" else (data, [])


def _orientation(image: Image.Image) -> int:
    # Pillow turns TIFFs itself, and libheif photos.
    if image.format in ("TIFF", "HEIF"):
        return 1
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the pixels to look behind them. `png.checked` has put all before them.
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # A camera's notes may be damaged in many ways, which no viewer minds.
        return 1


@contextmanager
def _opened(data: bytes, media_type: str, max_pixels: int) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=[_DECODERS[media_type]]) as image:
            refuse_oversized(*image.size, max_pixels)
            if getattr(image, "n_frames", 1) > 1 and image.format not in _SEVERAL_ALLOWED:
                raise several_frames()
            yield image
    except BrokenFileError:
        raise
    except MemoryError as error:
        raise BrokenFileError("the image is too large to decode", code=Code.TOO_MANY_PIXELS, cause=error) from error
    except Exception as error:
        # Decoders raise exceptions of many types for hostile input.
        raise BrokenFileError("the image is truncated or damaged", cause=error) from error
