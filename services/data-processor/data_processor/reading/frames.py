"""The frames that tell members how far the reading of a document is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby

from typing_extensions import TypedDict

from data_processor import events
from data_processor.choices import TextStatus
from data_processor.documents.files.read_words import Word
from data_processor.frames import OcrComplete, OcrProgress, TextRegion
from data_processor.reading import selectors

_EVERY_S = 0.5
_REGIONS_MAX = 100
_TEXT_MAX = 4000
"""A frame holds the beginning. The rest is at `GET documents/{id}/pages/{n}/text`."""


class _Line(TypedDict):
    x: float
    y: float
    width: float
    height: float
    text: str
    confidence: float


class Progress:
    """Publishes `ocr_progress` of one document: the first frame at once, and then at most two a second."""

    def __init__(self, document_id: int, channel_id: int) -> None:
        self._document_id = document_id
        self._channel_id = channel_id
        self._due = 0.0

    def publish(self, stage: str, percent: int, message: str) -> None:
        """Publish a frame, or leave it out if the one before it is recent."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        frame: OcrProgress = {
            "type": "ocr_progress",
            "document_id": self._document_id,
            "channel_id": self._channel_id,
            "stage": stage,
            "progress": percent,
            "message": message,
        }
        events.tell(self._channel_id, frame)


def tell_complete(*, document_id: int, channel_id: int, status: TextStatus, error: str | None) -> None:
    """Tell `ocr_complete`, with the beginning of the text that was read."""
    regions: list[TextRegion] = []
    texts: list[str] = []
    room, page = _TEXT_MAX, 0
    while room > 0 and (found := selectors.lines_after(document_id=document_id, page=page, chars=room)) is not None:
        page = found["page"]
        texts.append(found["text"])
        room -= len(found["text"]) + 1
        for line in _lines(found["words"]):
            if len(regions) < _REGIONS_MAX:
                regions.append({"id": len(regions) + 1, "type": "text", "page": page, **line})
    frame: OcrComplete = {
        "type": "ocr_complete",
        "document_id": document_id,
        "channel_id": channel_id,
        "text_status": status,
        "text_error": error,
        "detected_regions": regions,
        "extracted_text": "\n".join(texts),
    }
    events.tell(channel_id, frame)


def _lines(words: list[Word]) -> Iterator[_Line]:
    for _, group in groupby(words, key=lambda word: word["line"]):
        line = list(group)
        left = min(word["box"][0] for word in line)
        top = min(word["box"][1] for word in line)
        yield {
            "x": left,
            "y": top,
            "width": round(max(word["box"][0] + word["box"][2] for word in line) - left, 2),
            "height": round(max(word["box"][1] + word["box"][3] for word in line) - top, 2),
            "text": " ".join(word["text"] for word in line),
            "confidence": round(sum(word["confidence"] for word in line) / len(line), 3),
        }
