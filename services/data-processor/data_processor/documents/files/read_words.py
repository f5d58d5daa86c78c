"""The words of a page, as they are stored and sent to clients."""

from __future__ import annotations

from data_processor.documents.files.words import PageWord


class Word(PageWord):
    """A word of a page.

    `box` is in pixels of the upright image or in points of the PDF's page. `confidence` is from 0 to 1, and 1 for a
    text layer.
    """

    confidence: float
