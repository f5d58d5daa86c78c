"""Documents that templates are made from: the words of their pages are stored, so that they outlive the document."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.applying import texts
from data_processor.documents.files.read_words import Word
from data_processor.reading.selectors import PageText
from data_processor.web.errors import InvalidError

PAGES_MAX = 20
"""Most pages of a template whose words are stored."""
WORDS_MAX = 2000
"""Most words that are stored of a page."""
_CONFIDENCE_MIN = 0.5

REFUSALS = (Code.NO_SUCH_DOCUMENT, *texts.REFUSALS)
"""The refusals of `anchors_of`, beside those about the channel."""

_DOCUMENT = access.one("documents", "d", "d.channel_id, d.page_count")


@dataclass(frozen=True, slots=True)
class Source:
    """A document, and the page of it that is page 1 of the template."""

    document_id: int
    page: int


class Anchors(TypedDict):
    """The words of a page, as text, x, y, width and height in the page's units."""

    page: int
    width: float
    height: float
    words: list[list[str | float]]


def anchors_of(source: Source, *, channel_id: int, user_id: int) -> list[Anchors]:
    """Return the words of the source's pages.

    Raises InvalidError if the document is in another channel or has no such page, ConflictError until it was read.
    """
    document = access.find(_DOCUMENT, Code.NO_SUCH_DOCUMENT, object_id=source.document_id, user_id=user_id)
    if document["channel_id"] != channel_id:
        raise InvalidError(("source_document_id", f"is in another channel than the template, channel {channel_id}"))
    if source.page > document["page_count"]:
        raise InvalidError(("source_page", f"must be from 1 to {document['page_count']}, the pages of the document"))
    last = min(document["page_count"], source.page + PAGES_MAX - 1)
    found = texts.read(source.document_id, range(source.page, last + 1), unread_max=texts.UNREAD_MAX)
    return [
        {
            "page": number - source.page + 1,
            "width": text["width"],
            "height": text["height"],
            "words": [[word["text"], *word["box"]] for word in _sure(text)[:WORDS_MAX]],
        }
        for number, text in sorted(found.items())
    ]


def _sure(text: PageText) -> list[Word]:
    return [word for word in text["words"] if word["confidence"] >= _CONFIDENCE_MIN]
