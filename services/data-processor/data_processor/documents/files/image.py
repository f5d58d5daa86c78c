"""Images, with Pillow. Only three decoders are used, and only after the size in the header was checked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageOps
from servicekit.codes import Code

from data_processor.documents.files.broken import BrokenFileError

_DECODERS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_SWAPPED_ORIENTATIONS = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_SIDE_MAX = 65_535
_PNG_END = b"IEND\xaeB`\x82"

# The limit of the settings is stricter and refuses instead of only warning.
Image.MAX_IMAGE_PIXELS = None


def measure(data: bytes, media_type: str, max_pixels: int) -> tuple[float, float]:
    """Return width and height in pixels of the upright image. Raises BrokenFileError."""
    with _opened(data, media_type, max_pixels) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _SWAPPED_ORIENTATIONS:
            width, height = height, width
        image.load()
    if media_type == "image/png" and _PNG_END not in data:
        # Pillow stops reading once it has all pixels.
        raise BrokenFileError("the image is truncated: its end is missing")
    return float(width), float(height)


def shrink(data: bytes, media_type: str, max_pixels: int, box: tuple[int, int]) -> Image.Image:
    """Return the image upright and no larger than `box`. Raises BrokenFileError."""
    with _opened(data, media_type, max_pixels) as image:
        # JPEG can be decoded at a fraction of its size.
        image.draft("RGB", box)
        upright = ImageOps.exif_transpose(image)
        upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        upright.thumbnail(box)
        return upright


@contextmanager
def _opened(data: bytes, media_type: str, max_pixels: int) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=[_DECODERS[media_type]]) as image:
            _refuse_oversized(*image.size, max_pixels)
            # A camera's JPEG may contain further pictures (MPO): the first one is the image.
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise BrokenFileError(
                    "the image has several frames: send one without animation", code=Code.SEVERAL_FRAMES
                )
            yield image
    except BrokenFileError:
        raise
    except MemoryError as error:
        raise BrokenFileError("the image is too large to decode", code=Code.TOO_MANY_PIXELS, cause=error) from error
    except Exception as error:
        # Decoders raise exceptions of many types for hostile input.
        raise BrokenFileError("the image is truncated or damaged", cause=error) from error


def _refuse_oversized(width: int, height: int, limit: int) -> None:
    if width < 1 or height < 1 or max(width, height) > _SIDE_MAX or width * height > limit:
        raise BrokenFileError(
            f"the image is {width} x {height} pixels: up to {limit} pixels are accepted", code=Code.TOO_MANY_PIXELS
        )
