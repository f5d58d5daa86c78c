"""Checks PNGs chunk by chunk (ISO 15948), and keeps the chunks that make the picture.

Pillow refuses a PNG for a wrong checksum in a text chunk, and accepts one whose rows end too early.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Several times as fast as the standard library's zlib, and what Pillow decompresses with.
from zlib_ng import zlib_ng as zlib

from data_processor.documents.files.broken import BrokenFileError, refuse_oversized, several_frames

_InflateError: type[Exception] = zlib.error  # type: ignore[assignment]  # the stubs call it an instance

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = frozenset({b"PLTE", b"tRNS"})
"""Viewers ignore these after the pixels."""
_USEFUL = frozenset({b"iCCP", b"eXIf"})
PROFILE_MAX = 16 * 1024**2
"""Largest colour profile that is used, in bytes. Profiles of printing presses have a few megabytes."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE_COLOURS = 3
_PALETTE_MAX = 3 * 256
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced picture: first column, first row, and the steps across and down."""
_PIECE = 1024**2
_FILTERS = bytes(range(5))
"""What the first byte of a row may be: how its other bytes were changed before they were compressed."""


def checked(data: bytes, max_pixels: int) -> tuple[bytes, list[str]]:
    """Return the picture alone, as a PNG, and what is damaged about the file, in sentences.

    Its pixels come last, so Pillow knows everything else without decoding them. Raises BrokenFileError if pixels are
    missing or cannot be decoded.
    """
    chunks = _chunks(data)
    kind, header, intact = next(chunks, (b"", b"", False))
    if kind != b"IHDR" or len(header) != 13 or not intact:
        raise BrokenFileError("the image is damaged: its header is missing or wrong")
    pixels = _Pixels(header, max_pixels)
    head, damage = [_written(kind, header)], []
    image: list[bytes] = []
    for kind, body, intact in chunks:
        if kind == b"acTL" and int.from_bytes(body[:4], "big") > 1:
            raise several_frames()
        if kind == b"IDAT":
            if not image:
                _require_palette(header, head)
            pixels.feed(body)
            image.append(_written(kind, body))
        if not intact:
            damage.append(f"the checksum of its {kind.decode('ascii', 'replace')} chunk is wrong")
        useful = kind in _USEFUL and intact
        if kind == b"iCCP" and useful and not _is_readable_profile(body):
            useful = False
            damage.append("its colour profile cannot be read")
        if useful or (kind in _COLOURS and not image):
            head.append(_written(kind, body))
    pixels.finish()
    if kind != b"IEND":
        damage.append("its end is missing")
    return b"".join((_SIGNATURE, *head, *image, _written(b"IEND", b""))), list(dict.fromkeys(damage))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind and content of each whole chunk up to the end, and whether its checksum is right."""
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IDAT" and len(body) < length:
            yield kind, body, False
        at += 12 + length
        if at > len(data):
            return
        yield kind, body, zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(data[at - 4 : at], "big")
        if kind == b"IEND":
            return


def _written(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _require_palette(header: bytes, before: list[bytes]) -> None:
    """Raise BrokenFileError for a picture of palette colours whose palette is not before its pixels."""
    sizes = [len(chunk) - 12 for chunk in before if chunk[4:8] == b"PLTE"]
    if header[9] == _PALETTE_COLOURS and not (sizes and 0 < sizes[-1] <= _PALETTE_MAX and sizes[-1] % 3 == 0):
        raise BrokenFileError("the image is damaged: its palette is missing or wrong")


def _is_readable_profile(body: bytes) -> bool:
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(body[body.index(b"\0") + 2 :], PROFILE_MAX)
    except (_InflateError, ValueError):
        return False
    return inflater.eof


class _Pixels:
    """Decompresses the picture's rows without keeping them, and looks at what could keep Pillow from decoding them."""

    def __init__(self, header: bytes, max_pixels: int) -> None:
        width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
        refuse_oversized(width, height, max_pixels)
        bits = depth * _CHANNELS.get(colour, 1)
        passes = _PASSES if interlace else ((0, 0, 1, 1),)
        self._passes = [
            (_rows(height, top, down), 1 + (_rows(width, left, across) * bits + 7) // 8)
            for left, top, across, down in passes
            if _rows(width, left, across) and _rows(height, top, down)
        ]
        self._missing = sum(rows * length for rows, length in self._passes)
        self._next_row = 0
        self._inflater = zlib.decompressobj()
        self._damaged = False

    def feed(self, body: bytes) -> None:
        """Decompress the rows of the next chunk."""
        try:
            while body and self._missing > 0 and not self._inflater.eof and not self._damaged:
                piece = self._inflater.decompress(body, _PIECE)
                self._missing -= len(piece)
                self._look_at(piece)
                body = self._inflater.unconsumed_tail
        except _InflateError:
            self._damaged = True

    def _look_at(self, piece: bytes) -> None:
        """Look at the first byte of each row that begins in this piece."""
        at = self._next_row
        while self._passes and at < len(piece):
            rows, length = self._passes[0]
            filters = piece[at : at + rows * length : length]
            if filters.strip(_FILTERS):
                raise BrokenFileError("the image is damaged: its rows have an unknown filter")
            at += len(filters) * length
            self._passes[:1] = [(rows - len(filters), length)] if len(filters) < rows else []
        self._next_row = at - len(piece)

    def finish(self) -> None:
        """Raise BrokenFileError if rows are missing."""
        if self._missing <= 0:
            return
        if self._damaged:
            raise BrokenFileError("the image is damaged: its pixels cannot be decompressed")
        raise BrokenFileError("the image is truncated: its last rows are missing")


def _rows(length: int, first: int, step: int) -> int:
    return max(0, (length - first + step - 1) // step)
