"""What a template finds in the words of a document, without a database: values, their places, and doubts about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from typing_extensions import TypedDict

from data_processor.applying import doubt, fields, registration, values
from data_processor.applying.registration import Method, Registration
from data_processor.applying.words import PlacedWord, Rectangle
from data_processor.choices import DateOrder, DecimalSeparator, ValidationStatus, ValueType
from data_processor.templates import formats

TEXT_MAX = 20_000
"""Longest text of an annotation."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a template; its box is relative to the page."""

    id: int
    name: str
    page: int
    every_page: bool
    box: Rectangle
    value_type: ValueType
    expected_format: str | None
    required: bool


class Page(NamedTuple):
    """The size of a page and its words."""

    size: tuple[float, float]
    words: Sequence[PlacedWord]


@dataclass(frozen=True, slots=True)
class Plan:
    """A template, and how it is to be applied. `anchors` has the pages of its source."""

    labels: Sequence[Label]
    anchors: Mapping[int, Page] = field(default_factory=dict)
    date_order: DateOrder | None = None
    decimal_separator: DecimalSeparator | None = None
    confidence_threshold: float = 0.6
    use_feature_matching: bool = True
    force: bool = False

    def on_page(self, number: int) -> list[Label]:
        """Return the labels that are looked for on a page."""
        return [label for label in self.labels if label.every_page or label.page == number]


class Finding(TypedDict):
    """The value of a label on a page; the box is in the page's units."""

    label_id: int
    page: int
    box_x: float
    box_y: float
    box_width: float
    box_height: float
    text: str
    confidence: float
    validation_status: ValidationStatus
    normalised_value: str | list[list[str]] | None
    reason: str | None


class PageResult(TypedDict):
    """How a page was found: `residual` is the mean distance of the words from where the template has them."""

    page: int
    method: Method
    inliers: int
    total: int
    residual: float | None
    needs_review: bool
    reason: str | None


class Found(NamedTuple):
    """Everything that was found, and how each page was."""

    findings: list[Finding]
    pages: list[PageResult]


def find(plan: Plan, pages: Mapping[int, Page]) -> Found:
    """Look for the labels of a template on pages."""
    found = Found([], [])
    for number, page in sorted(pages.items()):
        labels = plan.on_page(number)
        results = [
            _find_on_page(plan, source, [label for label in labels if label.page == source], number, page, found)
            for source in sorted({label.page for label in labels})
        ]
        if results:
            # Labels of several pages of the template are looked for here: the page is as doubtful as the worst.
            found.pages.append(min(results, key=lambda result: (not result["needs_review"], result["inliers"])))
    return found


def _find_on_page(plan: Plan, source: int, labels: list[Label], number: int, page: Page, found: Found) -> PageResult:
    anchored = plan.anchors.get(source) if plan.use_feature_matching else None
    size = anchored.size if anchored else page.size
    boxes = {label.id: _scaled(label.box, size) for label in plan.labels if label.page == source}
    # The values of the source differ from those of the page.
    anchors = [
        word
        for word in (anchored.words if anchored else [])
        if not any(box.holds(word.box.centre) for box in boxes.values())
    ]
    placed = _placed(plan, anchored is not None, anchors, size, page)
    doubtful = placed.needs_review
    if placed.transform is not None and (plan.force or placed.method == "position" or not placed.needs_review):
        for label in labels:
            box = boxes[label.id]
            here = _clipped(placed.transform.around(box), page.size)
            read = fields.read(page.words, placed.transform, box)
            if read is None or here is None:
                continue
            why = doubt.of_place(box, anchors, size[0], placed)
            doubtful = doubtful or why is not None
            found.findings.append(_judged(plan, label, number, here, read, why))
    return {
        "page": number,
        "method": placed.method,
        "inliers": placed.inliers,
        "total": placed.total,
        "residual": placed.residual,
        "needs_review": doubtful,
        "reason": placed.reason,
    }


def _placed(
    plan: Plan, is_anchored: bool, anchors: Sequence[PlacedWord], size: tuple[float, float], page: Page
) -> Registration:
    if not plan.use_feature_matching:
        return registration.by_position("placed by position, as asked for")
    if not is_anchored:
        return registration.by_position("placed by position: the template has no words of a source for this page")
    if not page.words:
        placed = Registration("none", None, "the page has no text")
    else:
        placed = registration.register(anchors, size, page.words, page.size)
    if placed.transform is None and plan.force:
        stretched = registration.stretched(size, page.size)
        return Registration("position", stretched, f"placed by position: {placed.reason}", total=placed.total)
    return placed


def _judged(plan: Plan, label: Label, number: int, here: Rectangle, read: fields.Field, why: str | None) -> Finding:
    text = read.text[:TEXT_MAX]
    value: str | list[list[str]] | None = text
    status: ValidationStatus = "pending"
    reason: str | None = None
    if label.value_type in ("date", "amount"):
        text = " ".join(text.split())
        value, reason = (
            values.read_date(text, plan.date_order)
            if label.value_type == "date"
            else values.read_amount(text, plan.decimal_separator)
        )
    elif label.value_type == "table":
        value = read.rows
    matched = _matches(label, text, read)
    if matched is False:
        status, reason = "invalid", "format"
    elif reason in ("not_a_date", "not_an_amount"):
        status = "invalid"
    elif why is not None:
        reason = reason or f"place: {why}"
    elif reason is None:
        reason = _unsure(plan, label, read, matched)
        status = "pending" if reason else "valid"
    return {
        "label_id": label.id,
        "page": number,
        "box_x": here.x,
        "box_y": here.y,
        "box_width": here.width,
        "box_height": here.height,
        "text": text,
        "confidence": min(1.0, max(0.0, read.confidence)),
        "validation_status": status,
        "normalised_value": value,
        "reason": reason,
    }


def _matches(label: Label, text: str, read: fields.Field) -> bool | None:
    """Return whether the text has the expected format (each row of a table), or None if that cannot be told."""
    if label.expected_format is None:
        return None
    rows = [" ".join(row) for row in read.rows] if label.value_type == "table" else [text]
    try:
        return all(formats.matches(label.expected_format, row) for row in rows)
    except formats.FormatError:
        # Stored by a release that took other expressions.
        return None


def _unsure(plan: Plan, label: Label, read: fields.Field, matched: bool | None) -> str | None:
    if read.confidence < plan.confidence_threshold:
        return "confidence"
    if matched is None and label.expected_format is not None:
        return "unusable_format"
    if matched is None and label.value_type in ("text", "table"):
        # Nothing says what the text has to look like.
        return "no_format"
    return None


def _scaled(box: Rectangle, size: tuple[float, float]) -> Rectangle:
    return Rectangle(box.x * size[0], box.y * size[1], box.width * size[0], box.height * size[1])


def _clipped(box: Rectangle, size: tuple[float, float]) -> Rectangle | None:
    left, top = max(0.0, box.x), max(0.0, box.y)
    right, bottom = min(size[0], box.x + box.width), min(size[1], box.y + box.height)
    return Rectangle(left, top, right - left, bottom - top) if right > left and bottom > top else None
