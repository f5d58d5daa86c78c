"""Normalises names, and checks whether a text has visible characters."""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_CONTROLS = ("Cc", "Zl", "Zp")
# Unicode's Default_Ignorable_Code_Point, which the standard library does not know.
_IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
_BRAILLE_BLANK = "\u2800"
_UNSEEN = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me")


def _is_ignorable(char: str) -> bool:
    point = ord(char)
    return point > 0xAC and any(first <= point <= last for first, last in _IGNORABLE)


def _is_joiner(char: str) -> bool:
    # Characters that join emoji and the letters of some scripts: joiners, variation selectors, the tags of flags.
    return char in "\u200c\u200d\ufe0e\ufe0f" or 0xE0020 <= ord(char) <= 0xE007F


def is_visible(text: str) -> bool:
    """Return whether `text` has a visible character: not only spaces, marks and characters that are never drawn."""
    return any(
        unicodedata.category(char) not in _UNSEEN and not _is_ignorable(char) and char != _BRAILLE_BLANK
        for char in text
    )


def normal(text: str) -> str:
    """Return the form in which names are stored, compared and searched for: NFC, single spaces, none at the ends."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def name(text: str) -> str:
    """Return `text` in its normal form. Raises ValueError unless it is one line without invisible characters."""
    text = text.strip()
    if any(unicodedata.category(char) in _CONTROLS for char in text):
        raise ValueError("must be one line without control characters")
    text = normal(text)
    if not is_visible(text):
        raise ValueError("must not be blank: it has no visible character")
    before = ""
    for char in text:
        if _is_ignorable(char) and not (_is_joiner(char) and _can_be_joined(before)):
            raise ValueError(f"must not contain invisible characters: U+{ord(char):04X}")
        before = char
    return text


def _can_be_joined(char: str) -> bool:
    return bool(char) and (unicodedata.category(char) in ("So", "Sk", "Lo", "Mn", "Mc") or _is_joiner(char))


def content(text: str) -> str:
    """Return `text` unchanged. Raises ValueError if it has no visible character."""
    if not is_visible(text):
        raise ValueError("must not be blank: it has no visible character")
    return text


def nfc(text: str) -> str:
    """Return `text` in NFC, so that the same characters typed in different ways are equal."""
    return unicodedata.normalize("NFC", text)
