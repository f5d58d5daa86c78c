"""Text that is safe to show in a page, a terminal and a JSON line."""

from __future__ import annotations

import re

ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC and other strings: titles, links
    # Shorter ones, except those that end in a letter: the letter may be the beginning of a word.
    r"|\x1b[ -/]+[0-~]|\x1b[0-?]"
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
# Controls become their control pictures (NUL is shown as ␀), so that they are visible and have no effect.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), 0xFEFF, *range(0xD800, 0xE000)), 0xFFFD) | {0x7F: 0x2421}
# Bidirectional overrides change the order in which a line is displayed.
_VISIBLE |= dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
_UNSAFE = re.compile("[" + "".join(f"\\U{code:08x}" for code in (*_VISIBLE, 0x2028, 0x2029)) + "]")
# Invisible characters: controls, also as pictures, joiners, fillers, direction marks, variation selectors.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2400-\u2421\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffd\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Characters that look like an ordinary letter, sign or space: fullwidth, mathematical and small forms, odd spaces.
_LOOKALIKE = re.compile(
    "[\xa0\xaa\xb2\xb3\xb9\xba\u02b0-\u02b8\u1680\u02e1-\u02e3\u1d2c-\u1d6a\u1d9c-\u1dbb\u2000-\u200a\u2024-\u2026\u202f\u203c\u2047-\u2049\u205f\u2070-\u209c"
    "\u2100-\u214f\u2160-\u217f\u2460-\u24ff\u2a74-\u2a76\u2c7c\u2c7d\u3000\ua7f2-\ua7f4\ufb00-\ufb06\ufe10-\ufe6b\uff01-\uff9f"
    "\U0001d400-\U0001d7ff\U000107a5\U0001f100-\U0001f190\U0001fbf0-\U0001fbf9\u017f\u212a]"
)


_UNUSUAL = re.compile(f"{INVISIBLE.pattern[:-1]}{_LOOKALIKE.pattern[1:]}")


def unusual(text: str) -> bool:
    """Return whether text has invisible characters or lookalikes of ordinary ones."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return False
    return _UNUSUAL.search(text) is not None


def clean(text: str) -> str:
    """Return `text` without ANSI sequences, control characters, odd line ends, direction overrides and surrogates.

    Tab and newline stay: JSON escapes them. Except for ANSI sequences, everything removed leaves a visible mark.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _LINE_ENDS.sub("\n", ANSI.sub("", text)).translate(_VISIBLE)
