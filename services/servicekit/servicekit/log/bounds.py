"""Limits the size of structures and texts of any type."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from servicekit.log.clean import clean
from servicekit.log.redact import redact
from servicekit.log.rules import REDACTED
from servicekit.log.secret_names import is_secret_key

DEPTH_MAX = 6
WIDTH_MAX = 50
NODES_MAX = 400
STRING_MAX = 4096
KEY_MAX = 100
ROOM = 32 * 1024
"""Total characters of one structure: twice an entry's limit, because `entries` chooses better places to cut."""
LOOKED_AT = 16 * 1024
"""Characters of one text that are searched for secrets; the rest is cut off. Hostile text costs some 10 µs a character,
on the event loop."""
CUT = "…"
_NAME_OF_TYPE = type.__dict__["__name__"].__get__
"""Reads a type's name without calling its metaclass."""


class Bounded:
    """One pass over one structure; afterwards `truncated` is true if anything was left out."""

    def __init__(self) -> None:
        self.truncated = False
        self._nodes = NODES_MAX
        self._room = ROOM

    def value(self, value: Any, depth: int = DEPTH_MAX) -> Any:
        """Return plain JSON data from anything (cyclic, foreign): cleaned, redacted, at most `depth` levels deep."""
        try:
            return self._value(value, depth)
        except Exception:
            # A mapping that changes during the pass, or an object that cannot be read, must not lose the other values.
            return _placeholder(value)

    def _value(self, value: Any, depth: int) -> Any:
        self._nodes -= 1
        if self._is_full:
            self.truncated = True
            return CUT
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            # Browsers read numbers as doubles, which cannot hold larger ones exactly.
            return int(value) if abs(value) < 2**53 else text_of(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, dict | list | tuple | set | frozenset):
            if depth == 0:
                self.truncated = True
                return CUT
            if isinstance(value, dict):
                return self._mapping(value, depth)
            return self._items(value, depth)
        return self.text(text_of(value), STRING_MAX)

    def text(self, text: str, limit: int) -> str:
        """Return `text` cleaned, redacted and cut to `limit` characters; the cut is marked."""
        text, cut = safe_text(text, max(1, min(limit, self._room)))
        self.truncated |= cut
        self._room -= len(text)
        return text

    @property
    def _is_full(self) -> bool:
        return self._nodes < 0 or self._room <= 0

    def _mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        names_secret = _names_secret(value)
        for key, item in self._first(value.items(), len(value)):
            if self._is_full:
                self.truncated = True
                break
            name = text_of(key)
            secret = (is_secret_key(name) or (names_secret and name.lower() == "value")) and _is_value(item)
            result[self.text(name, KEY_MAX)] = REDACTED if secret else self.value(item, depth - 1)
        return result

    def _items(self, value: Collection[Any], depth: int) -> list[Any]:
        result: list[Any] = []
        if _is_secret_pair(value):
            name, _ = value
            return [self.text(text_of(name), KEY_MAX), REDACTED]
        for item in self._first(value, len(value)):
            if self._is_full:
                self.truncated = True
                break
            result.append(self.value(item, depth - 1))
        return result

    def _first(self, items: Iterable[Any], count: int) -> Iterable[Any]:
        if count > WIDTH_MAX:
            self.truncated = True
        return islice(items, WIDTH_MAX)


def _is_secret_pair(items: Collection[Any]) -> bool:
    """Return whether `items` is a name and its value, as headers and rows often are: ("x-api-key", "…")."""
    if not isinstance(items, tuple | list) or len(items) != 2 or not isinstance(items[0], str | bytes):
        return False
    return is_secret_key(text_of(items[0])) and _is_value(items[1])


def _names_secret(mapping: dict[Any, Any]) -> bool:
    """Return whether a mapping is a name and its value: {"name": "x-api-key", "value": "…"}."""
    for key in ("name", "key", "header", "field"):
        name = mapping.get(key)
        if isinstance(name, str) and is_secret_key(name):
            return True
    return False


def _is_value(value: Any) -> bool:
    return value is not None and not isinstance(value, bool)


def text_of(value: Any) -> str:
    """Return `str(value)`, or bytes decoded, or the name of the type if that fails; always a plain str."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "backslashreplace")
        text = str(value)
        # `str()` may return a subclass of str, which cannot be a key of JSON.
        return text if type(text) is str else str.__str__(text)
    except Exception:
        return _placeholder(value)


def _placeholder(value: Any) -> str:
    return f"<{_NAME_OF_TYPE(type(value))}>"


def safe_text(text: str, limit: int, *, keep_end: bool = False) -> tuple[str, bool]:
    """Return `text` cleaned, redacted and at most `limit` characters long, and whether something was cut.

    `keep_end` cuts in the middle and keeps more of the end: the last lines of a traceback name the error.
    """
    cut = False
    # This bounds the work. The cut is far beyond the limit, so a secret near the limit is still whole when redacted.
    if len(text) > LOOKED_AT + 2 * limit:
        text, cut = (_outer(text, LOOKED_AT) if keep_end else _head(text, LOOKED_AT)), True
    # The characters that cleaning removes may have hidden a secret, or be part of one: redact before and after.
    text = redact(text)
    cleaned = clean(text)
    if cleaned is not text:
        text = redact(cleaned)
    if len(text) > limit:
        text, cut = (_outer(text, limit) if keep_end else text[: limit - 1] + CUT), True
    return text, cut


def _head(text: str, limit: int) -> str:
    # A truncated secret may no longer be recognised, so the truncated word is removed, too.
    head = text[: limit - 1]
    space = max(head.rfind(" ", limit // 2), head.rfind("\n", limit // 2))
    return (head[:space] if space > 0 else head[: limit // 2]) + CUT


def _outer(text: str, limit: int) -> str:
    mark = f"\n{CUT} cut here {CUT}\n"
    head = (limit - len(mark)) // 4
    tail = limit - len(mark) - head
    start = len(text) - tail
    line = text.find("\n", start, start + tail // 2)
    if line < 0:
        line = text.find(" ", start)
    # A word without its beginning may be the end of a secret, so the text starts after it.
    return _head(text, head) + mark + (text[line + 1 :] if line >= 0 else "")
