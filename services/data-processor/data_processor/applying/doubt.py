"""What speaks against the place of a single label, where the page as a whole was found: parts of a page move."""

from __future__ import annotations

from collections.abc import Sequence

from data_processor.applying.registration import Registration
from data_processor.applying.words import PlacedWord, Rectangle, token

_NEAREST = 6
_NEAR = 0.3
"""How far the words are that vouch for a label, in widths of the page."""
_ERROR = 0.35
"""Largest expected error of a label's place, as a share of its height."""


def of_place(
    box: Rectangle, anchors: Sequence[PlacedWord], page_width: float, registration: Registration
) -> str | None:
    """Return why the place of a label is doubtful, or None. The box and the anchors are the template's."""
    if registration.reason is not None:
        return registration.reason
    if 3 * registration.error_at(box.centre) > _ERROR * box.height:
        return "the words that were found are too far away to place the label"
    caption = _caption(box, anchors)
    if caption is not None and caption in registration.elsewhere:
        return f"{anchors[caption].text!r}, beside the label in the template, is at another place"
    near = sorted(
        (away, number)
        for number, word in enumerate(anchors)
        if token(word.text) and (away := _gap(box, word.box)) <= _NEAR * page_width
    )[:_NEAREST]
    if near and not any(number in registration.agreeing for _, number in near):
        return "no word near the label is where it is in the template"
    return None


def _caption(box: Rectangle, anchors: Sequence[PlacedWord]) -> int | None:
    """Return the nearest word to the left in the label's row, or else the nearest above it."""
    words = [(number, word.box) for number, word in enumerate(anchors) if token(word.text)]
    left = [
        (box.x - other.x - other.width, number)
        for number, other in words
        if box.y <= other.centre.imag <= box.y + box.height and other.centre.real < box.x
    ]
    above = [
        (box.y - other.y - other.height, number)
        for number, other in words
        if other.x < box.x + box.width and box.x < other.x + other.width and other.centre.imag < box.y
    ]
    nearest = min(left or above, default=None)
    return nearest[1] if nearest else None


def _gap(one: Rectangle, other: Rectangle) -> float:
    across = max(one.x - other.x - other.width, other.x - one.x - one.width, 0.0)
    down = max(one.y - other.y - other.height, other.y - one.y - one.height, 0.0)
    return abs(complex(across, down))
