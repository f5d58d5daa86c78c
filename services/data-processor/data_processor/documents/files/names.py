"""File names from clients. They are displayed, but never opened."""

from __future__ import annotations

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

from servicekit import texts

from data_processor.documents.models import FILENAME_MAX

_FALLBACK = "document"
# Control characters, lone surrogates, and the marks that reverse a name so that "gpj.exe" reads "exe.jpg".
_DROPPED = frozenset({"Cc", "Cs"})
_BIDI = frozenset("\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")

_ENCODED_WORD = re.compile(r"=\?[\w-]+\?[bq]\?[^?]*\?=", re.IGNORECASE)
_NOT_ASCII_IN_PERCENT = re.compile(r"(?:%[89a-f][0-9a-f])+", re.IGNORECASE)
_QUOTE_IN_PERCENT = "%22"


def sent_filename(name: str) -> str:
    """Return the cleaned name of an upload, as a client sends it in `filename` or `filename*`.

    .NET encodes names for mail (RFC 2047), browsers write a quotation mark as %22 (the HTML standard), and some clients
    write all of a name in percents.
    """
    if _ENCODED_WORD.search(name):
        try:
            name = str(make_header(decode_header(name)))
        except (HeaderParseError, LookupError, ValueError):
            return clean_filename(name)
    if _NOT_ASCII_IN_PERCENT.search(name) and name.isascii():
        try:
            name = unquote(name, errors="strict")
        except UnicodeDecodeError:
            return clean_filename(name)
    return clean_filename(name.replace(_QUOTE_IN_PERCENT, '"'))


def clean_filename(name: str) -> str:
    """Return the last part of a path, normalised; a fallback if it has no visible character.

    Control characters are left out, and names are cut to 255 characters.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c) not in _DROPPED and c not in _BIDI)
    clean = texts.normal(kept)
    if clean in (".", "..") or not texts.is_visible(clean):
        return _FALLBACK
    if len(clean) <= FILENAME_MAX:
        return clean
    stem, dot, ending = clean.rpartition(".")
    ending = dot + ending
    return clean[:FILENAME_MAX] if not dot or len(ending) > 20 else stem[: FILENAME_MAX - len(ending)] + ending
