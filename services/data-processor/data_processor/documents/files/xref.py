"""Checks a PDF's cross-reference. PDFium rebuilds a broken one silently, and its pages are then a guess.

It checks the section that the file's end points to (ISO 32000-1, 7.5.4, 7.5.5 and 7.5.8): a table's entries must point
to their objects; the pointer to a cross-reference stream must find one.
"""

from __future__ import annotations

import re

from data_processor.documents.files.broken import BrokenFileError

_START = re.compile(rb"startxref[\s\x00]+(\d{1,15})[\s\x00]*(?:%%EOF|$)")
_TABLE = re.compile(rb"[\s\x00]*xref[\s\x00]+")
_STREAM = re.compile(rb"[\s\x00]*\d{1,10}[\s\x00]+\d{1,5}[\s\x00]+obj\b")
_SUBSECTION = re.compile(rb"(\d{1,10})[ \t]+(\d{1,10})[ \t]*[\r\n]+[\s\x00]*")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r\n]{1,2}")
_OBJECT = re.compile(rb"[\s\x00]*(\d{1,10})[\s\x00]+\d{1,5}[\s\x00]+obj\b")
_TRAILER_WITHIN = 2048


def require_intact(data: bytes) -> None:
    """Raise BrokenFileError unless the cross-reference section at the end of `data` is valid."""
    # Offsets count from the header; some mailers insert text before it.
    header = max(0, data.find(b"%PDF-"))
    starts = list(_START.finditer(data, max(0, len(data) - _TRAILER_WITHIN)))
    if not starts:
        raise _broken("its end does not locate the cross-reference; it is probably truncated")
    at = header + int(starts[-1][1])
    if (table := _TABLE.match(data, at)) is not None:
        _require_table(data, table.end(), header)
    elif _STREAM.match(data, at) is None:
        raise _broken(f"its cross-reference is not at byte {at}, as its end states")


def _require_table(data: bytes, at: int, header: int) -> None:
    sections = 0
    while (section := _SUBSECTION.match(data, at)) is not None:
        sections += 1
        first, count = int(section[1]), int(section[2])
        at = section.end()
        for number in range(first, first + count):
            entry = _ENTRY.match(data, at)
            if entry is None:
                raise _broken(f"the cross-reference entry of object {number} is damaged")
            at = entry.end()
            # Some writers use offset 0 for an object that does not exist.
            if entry[3] == b"n" and int(entry[1]) and _OBJECT.match(data, header + int(entry[1])) is None:
                raise _broken(f"the cross-reference has a wrong position of object {number}")
    if not sections:
        raise _broken("its cross-reference table is empty or damaged")


def _broken(what: str) -> BrokenFileError:
    return BrokenFileError(f"the PDF is damaged: {what}")
