"""Bounding boxes: origin top left, sides in the page's units or relative to it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from data_processor.web import bodies

EPSILON = 1e-6
"""Allowed excess over the page, as a share of its side, for the rounding of a box that fills the page."""

Side = Annotated[bodies.Finite, Field(ge=-1e9, le=1e9)]
"""Far above any page. Sums and products of such numbers stay finite."""


class Box(bodies.Body):
    """A bounding box in a request."""

    x: Side
    y: Side
    width: Side
    height: Side


class BoundingBox(TypedDict):
    """A bounding box in a response."""

    x: float
    y: float
    width: float
    height: float


COLUMNS = {side: f"box_{side}" for side in Box.model_fields}
"""The column of each side, in every table that has boxes."""


def to_columns(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` with their `bounding_box` replaced by a column for each of its sides."""
    rest = {key: value for key, value in values.items() if key != "bounding_box"}
    return rest | {COLUMNS[side]: value for side, value in values.get("bounding_box", {}).items()}


def faults(box: Box, page_width: float, page_height: float, field: str = "bounding_box") -> list[tuple[str, str]]:
    """Return the errors of a box on a page of that size, as pairs of field and message."""
    found = []
    for start_name, length_name, side in (("x", "width", page_width), ("y", "height", page_height)):
        start, length = getattr(box, start_name), getattr(box, length_name)
        if length <= 0:
            found.append((f"{field}.{length_name}", "must be greater than 0"))
        if start < 0:
            found.append((f"{field}.{start_name}", "must not be negative: boxes start on the page"))
        elif start + length > side * (1 + EPSILON):
            found.append((f"{field}.{length_name}", f"ends at {start + length:g}, outside of the page ({side:g})"))
    return found
