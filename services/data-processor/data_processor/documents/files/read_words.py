"""The words of a page, as they are stored and sent to clients."""

from __future__ import annotations

from typing_extensions import TypedDict

from data_processor.choices import Engine
from data_processor.documents.files.words import PageWord


class Word(PageWord):
    """A word of a page.

    `box` is in pixels of the upright image or in points of the PDF's page. `confidence` is from 0 to 1, and 1 for a
    text layer.
    """

    confidence: float


class PageReading(TypedDict):
    """The words of a page, how they were read, and by how many degrees, anticlockwise, its picture was turned first."""

    engine: Engine
    angle: float
    words: list[Word]
