"""The pages of TIFFs, with Pillow and libtiff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from servicekit.codes import Code

from data_processor.documents.files.broken import BrokenFileError, refuse_oversized
from data_processor.documents.files.measured import PageSize

_FRAMES_MAX = 20_000
_BIG_TIFF = 43
_SUBFILE = 254
_PREVIEW_OR_MASK = 0b101
_PLACES = ((273, 279), (324, 325))
"""The tags with positions and lengths of the parts of a picture: strips and tiles."""
_DECODED_MAX = 4
"""How many of the largest accepted images are decoded for a check. Of further pages only the structure is checked."""


def select(image: Image.Image, number: int) -> None:
    """Go to a page: a frame that is no preview and no mask. Pages count from 1. Raises BrokenFileError."""
    for frame in islice(_pages(image), number - 1, number):
        image.seek(frame)
        return
    raise BrokenFileError(f"the TIFF has no page {number}")


def measure(image: Image.Image, data: bytes, max_pixels: int, max_pages: int) -> list[PageSize]:
    """Return the sizes of the pages of a file, opened as `image`. Raises BrokenFileError."""
    _require_directories(data)
    sizes: list[PageSize] = []
    budget = _DECODED_MAX * max_pixels
    for number, frame in enumerate(_pages(image), 1):
        if number > max_pages:
            raise BrokenFileError(
                f"the TIFF has more pages than {max_pages}, which are accepted", code=Code.TOO_MANY_PAGES
            )
        image.seek(frame)
        width, height = image.size
        refuse_oversized(width, height, max_pixels)
        _require_parts(image, len(data), number)
        budget -= width * height
        if budget >= 0:
            image.load()
        sizes.append((float(width), float(height)))
    return sizes


def _require_directories(data: bytes) -> None:
    """Raise BrokenFileError if the chain of page directories leaves the file. Pillow reads what is left of one."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = int.from_bytes(data[2:4], order) == _BIG_TIFF
    start, count_size, entry_size, link_size = (8, 8, 20, 8) if is_big else (4, 2, 12, 4)

    def number(at: int, size: int) -> int:
        if at + size > len(data):
            raise BrokenFileError("the image is truncated: a page is missing")
        return int.from_bytes(data[at : at + size], order)

    seen: set[int] = set()
    at = number(start, link_size)
    while at and at not in seen and len(seen) < _FRAMES_MAX:
        seen.add(at)
        at = number(at + count_size + number(at, count_size) * entry_size, link_size)


def _pages(image: Image.Image) -> Iterator[int]:
    """Yield the frames that are pages. A file of previews alone has them as its pages."""
    previews = []
    pages = 0
    for frame in range(_FRAMES_MAX):
        try:
            image.seek(frame)
        except EOFError:
            break
        kind = _numbers(image, _SUBFILE)
        if kind and kind[0] & _PREVIEW_OR_MASK:
            previews.append(frame)
        else:
            pages += 1
            yield frame
    if not pages:
        yield from previews


def _require_parts(image: Image.Image, size: int, number: int) -> None:
    for positions, lengths in _PLACES:
        for position, length in zip(_numbers(image, positions), _numbers(image, lengths), strict=False):
            if position + length > size:
                raise BrokenFileError(f"the image is truncated: page {number} is incomplete")


def _numbers(image: Image.Image, tag: int) -> Sequence[int]:
    assert isinstance(image, TiffImageFile)  # noqa: S101  # for mypy
    value = image.tag_v2.get(tag, ())
    return value if isinstance(value, tuple) else (int(value),)
