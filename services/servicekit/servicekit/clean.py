"""Text that is safe to show in a page, a terminal and a JSON line."""

from __future__ import annotations

import re

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC and other strings: titles, links
    r"|\x1b[ -/]*[0-~]?"
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
# Controls become the picture of themselves (NUL is shown as ␀), so that they are seen and do nothing.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), 0xFEFF, *range(0xD800, 0xE000)), 0xFFFD) | {0x7F: 0x2421}
# Bidirectional overrides make a line read as something that it is not.
_VISIBLE |= dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
_UNSAFE = re.compile("[" + "".join(f"\\U{code:08x}" for code in (*_VISIBLE, 0x2028, 0x2029)) + "]")


def clean(text: str) -> str:
    """Return `text` without ANSI sequences, control characters, odd line ends, direction overrides and surrogates.

    Tab and newline stay: JSON escapes them. Nothing else is lost without a visible trace except ANSI sequences.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _LINE_ENDS.sub("\n", _ANSI.sub("", text)).translate(_VISIBLE)
