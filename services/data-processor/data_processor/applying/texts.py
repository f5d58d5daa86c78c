"""The words of a document's pages: jobs read those first that were not read yet."""

from __future__ import annotations

from collections.abc import Iterable

from servicekit.codes import Code

from data_processor.applying.findings import Page
from data_processor.applying.words import PlacedWord, Rectangle
from data_processor.database import statements
from data_processor.reading import selectors, services
from data_processor.reading.selectors import PageText
from data_processor.web.errors import ConflictError

UNREAD_MAX = 0
"""Most pages that a request reads itself: the worker alone recognises text, so that it is in the way of no request."""
REFUSALS = (Code.TEXT_PENDING,)
"""The refusals of `read` with a bound."""


def read(document_id: int, numbers: Iterable[int], *, unread_max: int | None = None) -> dict[int, PageText]:
    """Return the text of pages. Raises ConflictError if more than `unread_max` of them are still to be read."""
    wanted = list(numbers)
    found = _stored(document_id, wanted)
    missing = len(wanted) - len(found)
    if not missing:
        return found
    if unread_max is not None and missing > unread_max:
        refusal = ConflictError(
            Code.TEXT_PENDING,
            f"{missing} pages of document {document_id} are still to be read: try again when its text_status is done; "
            f"if that is failed, POST documents/{document_id}/process/ has it read again",
        )
        refusal.headers["Retry-After"] = "5"
        raise refusal
    statements.release_connection()
    services.document_read(document_id=document_id)
    return _stored(document_id, wanted)


def page_of(text: PageText) -> Page:
    """Return a page for the search."""
    words = [PlacedWord(word["text"], Rectangle(*word["box"]), word["confidence"]) for word in text["words"]]
    return Page((text["width"], text["height"]), words)


def _stored(document_id: int, numbers: list[int]) -> dict[int, PageText]:
    texts = ((number, selectors.page_text(document_id, number)) for number in numbers)
    return {number: text for number, text in texts if text is not None}
