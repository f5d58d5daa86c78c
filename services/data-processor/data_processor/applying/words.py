"""Words with their boxes, of a template and of a page, and which of them may be the same word."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

_REPEATS_MAX = 25
"""Pairs of one token beyond this number say little, and cost much: the `EUR` of every row."""
_PAIRS_MAX = 400
_FUZZY_MIN = 5
"""Shortest token that is also found with one character missing, added or wrong."""


class Rectangle(NamedTuple):
    """A box: its upper left corner and its sides."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> complex:
        """The middle, as x + iy."""
        return complex(self.x + self.width / 2, self.y + self.height / 2)

    def holds(self, point: complex) -> bool:
        """Return whether the point is inside."""
        return self.x <= point.real <= self.x + self.width and self.y <= point.imag <= self.y + self.height


class PlacedWord(NamedTuple):
    """A word, its box in the units of its page, and how sure its text is (0 to 1)."""

    text: str
    box: Rectangle
    confidence: float = 1.0


class Pair(NamedTuple):
    """A word of a template and a word of a page that may be the same, by their numbers."""

    anchor: int
    word: int


@lru_cache(maxsize=16_384)
def token(text: str) -> str:
    """Return a word as it is compared: without case, accents' variants and punctuation around it."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    start, end = 0, len(plain)
    while start < end and not plain[start].isalnum():
        start += 1
    while end > start and not plain[end - 1].isalnum():
        end -= 1
    return plain[start:end] if end - start > 1 else ""


def pairs(anchors: Sequence[PlacedWord], words: Sequence[PlacedWord]) -> list[Pair]:
    """Return the pairs that may be the same word, sorted. Rare words come first where there are too many."""
    wanted, found = _by_token(anchors), _by_token(words)
    groups = [(name, numbers, found[name]) for name, numbers in wanted.items() if name in found]
    lost = [name for name in wanted if name not in found and len(name) >= _FUZZY_MIN]
    spare = _by_deletion(name for name in found if name not in wanted and len(name) >= _FUZZY_MIN)
    for name in lost:
        close = {other for key in _deletions(name) for other in spare.get(key, ())}
        close = {other for other in close if _one_edit(name, other)}
        if len(close) == 1:
            groups.append((name, wanted[name], found[close.pop()]))
    groups = [group for group in groups if len(group[1]) * len(group[2]) <= _REPEATS_MAX]
    groups.sort(key=lambda group: (len(group[1]) * len(group[2]), -len(group[0]), group[0]))
    every = [Pair(anchor, word) for _, mine, theirs in groups for anchor in mine for word in theirs]
    return sorted(every[:_PAIRS_MAX])


def _by_token(words: Iterable[PlacedWord]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, word in enumerate(words):
        if name := token(word.text):
            found[name].append(number)
    return dict(found)


def _by_deletion(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for key in _deletions(name):
            found[key].append(name)
    return found


def _deletions(name: str) -> set[str]:
    return {name} | {name[:index] + name[index + 1 :] for index in range(len(name))}


def _one_edit(one: str, other: str) -> bool:
    # Two tokens that share a deletion differ by one edit, or by a character that is at another place.
    if len(one) != len(other):
        return True
    return sum(mine != theirs for mine, theirs in zip(one, other, strict=True)) == 1
