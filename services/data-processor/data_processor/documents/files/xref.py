"""What is damaged about a PDF that opens nevertheless, in sentences.

PDFium rebuilds a damaged cross-reference silently, as other viewers do. Its pages may then be older or fewer than those
of the whole file. This checks the section that the file's end points to (ISO 32000-1, 7.5.4, 7.5.5 and 7.5.8): a
table's entries must point to their objects; the pointer to a cross-reference stream must find one.
"""

from __future__ import annotations

import re
from collections import deque

_HEADER = re.compile(rb"%PDF-")
_BOM = b"\xef\xbb\xbf"
_END = re.compile(rb"startxref[\s\x00]+(\d{1,15})[\s\x00]*(?:%%EOF|$)")
_TABLE = re.compile(rb"[\s\x00]*xref[\s\x00]+")
_STREAM = re.compile(rb"[\s\x00]*\d{1,10}[\s\x00]+\d{1,5}[\s\x00]+obj\b")
_SUBSECTION = re.compile(rb"(\d{1,10})[ \t]+(\d{1,10})[ \t]*[\r\n]+[\s\x00]*")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r\n]{1,2}")
_OBJECT = re.compile(rb"[\s\x00]*(\d{1,10})[\s\x00]+\d{1,5}[\s\x00]+obj\b")
_ANY_OBJECT = re.compile(rb"[\r\n]\d{1,10} \d{1,5} obj\b")
_TAIL_MAX = 1024
"""Bytes after the end that readers have always been told to overlook (Adobe's implementation notes)."""

CUT = "its end is missing: it was cut off, and pages or parts of pages may be missing"


def damage(data: bytes) -> list[str]:
    """Return what is wrong with a PDF's frame; nothing for a whole file."""
    header = _HEADER.search(data)
    start = header.start() if header else 0
    return [*_before_header(data, start), *_at_end(data, start)]


def is_cut(data: bytes) -> bool:
    """Whether the end of the file is missing."""
    return CUT in _at_end(data, 0)


def _before_header(data: bytes, start: int) -> list[str]:
    if start == 0:
        return []
    if data[:start] == _BOM:
        return ["it begins with a byte order mark, which belongs to text files"]
    return [f"it has {start:,} bytes before its header"]


def _at_end(data: bytes, start: int) -> list[str]:
    end = next(iter(deque(_END.finditer(data), 1)), None)
    if end is None or _ANY_OBJECT.search(data, end.end()):
        return [CUT]
    found = []
    rest = len(data[end.end() :].strip(b"\0\t\n\f\r "))
    if rest > _TAIL_MAX:
        found.append(f"it has {rest:,} bytes after its end")
    # Offsets count from the header, or from the first byte: mailers and scripts insert text before it.
    faults = [_in_section(data, base, int(end[1])) for base in (start, 0)]
    if all(faults):
        found.append(f"{faults[0]}; the pages were found without it")
    return found


def _in_section(data: bytes, base: int, offset: int) -> str | None:
    """Return what is wrong with the cross-reference section at an offset, if anything is."""
    table = _TABLE.match(data, base + offset)
    if table is None:
        found = _STREAM.match(data, base + offset)
        return None if found else f"its cross-reference is not at byte {offset:,}, as its end says"
    at, sections = table.end(), 0
    while (section := _SUBSECTION.match(data, at)) is not None:
        sections += 1
        first, count = int(section[1]), int(section[2])
        at = section.end()
        for number in range(first, first + count):
            entry = _ENTRY.match(data, at)
            if entry is None:
                return f"its cross-reference has a damaged entry for object {number}"
            at = entry.end()
            # Some writers use offset 0 for an object that does not exist.
            if entry[3] == b"n" and int(entry[1]) and _OBJECT.match(data, base + int(entry[1])) is None:
                return f"its cross-reference has a wrong position of object {number}"
    return None if sections else "its cross-reference table is empty"
