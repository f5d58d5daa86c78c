"""Inspect an upload: its type by the first bytes, and whether the file is complete."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from servicekit.codes import Code
from servicekit.log.faults import client_fault

from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.decoder import decode
from data_processor.documents.files.measured import PageSize
from data_processor.web.errors import InvalidError, UnsupportedTypeError

logger = logging.getLogger(__name__)

_PDF_HEADER_WITHIN = 1024
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
_ANY_STILL = b"mif1"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The content of a file: its type, the size of each page, and what is damaged, in sentences."""

    media_type: str
    page_sizes: list[PageSize]
    damage: list[str]


def sniff(data: bytes) -> str | None:
    """Return the media type by the first bytes, or None if it is not accepted."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "image/tiff"
    if data[4:8] == b"ftyp" and _is_heic(data):
        return "image/heic"
    if b"%PDF-" in data[:_PDF_HEADER_WITHIN]:
        return "application/pdf"
    return None


def _is_heic(data: bytes) -> bool:
    # Other files of this family are films, or pictures of other codecs (AVIF).
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    others = {brands[at : at + 4] for at in range(8, len(brands), 4)}
    return brands[:4] in _HEIC_BRANDS or (brands[:4] == _ANY_STILL and bool(others & _HEIC_BRANDS))


def inspect(data: bytes) -> Inspection:
    """Return the content of a file. Raises UnsupportedTypeError for other types, InvalidError for broken files."""
    if not data:
        raise InvalidError(("file", "is empty"), code=Code.BROKEN_FILE)
    media_type = sniff(data)
    if media_type is None:
        raise UnsupportedTypeError(
            "only PNG, JPEG, WebP, TIFF, HEIC and PDF are accepted, and the content of this file is none of them"
        )
    try:
        found, _ = decode("inspect", media_type, data)
    except BrokenFileError as error:
        client_fault(
            logger, "broken_upload", "refused an upload",
            reason=str(error), cause=error.cause, media_type=media_type, size=len(data),
        )  # fmt: skip
        raise InvalidError(("file", str(error)), code=error.code) from None
    return Inspection(media_type, [(width, height) for width, height in found["page_sizes"]], found["damage"])
