"""Checks that a JPEG has all of its pixels.

Decoders fill up what is missing with grey, and Pillow does not say so if the file has an end.
"""

from __future__ import annotations

import io
import re

from PIL import Image, ImageChops

from data_processor.documents.files.broken import BrokenFileError

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker behind compressed data, in which 0xFF is followed by 0x00, or by a restart."""
_SCAN = 0xDA
_END = 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment."""
_FILLER = b"\x5a\xa5" * 512
_TINY = (1, 1)


def ended(data: bytes) -> tuple[bytes, list[str]]:
    """Return the JPEG with an end marker, and what is damaged, in sentences."""
    if _end(data) is not None:
        return data, []
    return data + bytes((0xFF, _END)), ["its end is missing"]


def require_whole(data: bytes) -> None:
    """Raise BrokenFileError if the compressed pixels of an `ended` JPEG end before the picture does.

    Other bytes in the place of the end must change nothing: they do where a decoder still looks for pixels.
    """
    end = _end(data)
    if end is None or ImageChops.difference(_small(data), _small(data[:end] + _FILLER + data[end:])).getbbox():
        raise BrokenFileError("the image is truncated: its last rows are missing")


def _end(data: bytes) -> int | None:
    """Return where the first picture's end marker is, or None."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker == _END:
            return found.start()
        if marker not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return None


def _small(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.draft(None, _TINY)
        image.load()
        return image.convert("RGB")
