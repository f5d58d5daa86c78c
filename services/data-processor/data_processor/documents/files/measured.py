"""What a file's check finds out."""

from __future__ import annotations

from typing import NamedTuple

PageSize = tuple[float, float]


class Measured(NamedTuple):
    """Width and height of each page as it is shown, and what is damaged about the file, in sentences."""

    page_sizes: list[PageSize]
    damage: list[str]
