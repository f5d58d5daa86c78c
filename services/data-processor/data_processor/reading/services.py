"""Reading the text of documents, in jobs, and drawing their pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import groupby
from typing import cast

import orjson
from django.db import transaction
from psycopg.types.json import Jsonb
from servicekit.codes import Code
from servicekit.log.faults import client_fault
from typing_extensions import TypedDict

from data_processor import config, jobs
from data_processor.choices import MediaType, TextStatus
from data_processor.database import statements
from data_processor.documents import selectors as documents
from data_processor.documents.files import decoder
from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.read_words import PageReading, Word
from data_processor.documents.selectors import Document
from data_processor.reading import frames
from data_processor.web.errors import NotFoundError, ProblemError
from data_processor.web.slow_lane import slow_lane

logger = logging.getLogger(__name__)

ProgressCallback = Callable[[str, int, str], None]
_PAGE_CHARS_MAX = 100_000
"""Characters that are stored of one page: about fifty pages of a book."""
_READ_BEYOND = 2
"""How many times that is read, to notice that there is more: spaces and what is outside of the page count, too."""
_NAMED_MAX = 5

_BEGIN = """
    UPDATE documents d SET text_status = 'running', text_error = NULL WHERE d.id = %(id)s
    RETURNING d.channel_id, d.media_type, d.page_widths, d.page_heights
"""
_READ_PAGES = """
    SELECT page, length(text) AS chars FROM page_texts WHERE document_id = %(id)s ORDER BY page
"""
# The document's row is locked, so that it is not deleted between this check and the end of the transaction.
_STORE = """
    WITH d AS MATERIALIZED (SELECT id FROM documents WHERE id = %(id)s FOR KEY SHARE)
    INSERT INTO page_texts (document_id, page, engine, angle, words, text, error)
    SELECT d.id, %(page)s, %(engine)s, %(angle)s, %(words)s, %(text)s, %(error)s FROM d
    ON CONFLICT (document_id, page) DO UPDATE
    SET engine = excluded.engine, angle = excluded.angle, words = excluded.words, text = excluded.text,
        error = excluded.error
    RETURNING page
"""
_ERRORS = """
    SELECT count(*) FILTER (WHERE engine = 'none') AS failed, count(*) AS pages,
           (array_agg(page ORDER BY page) FILTER (WHERE error IS NOT NULL))[1:%(most)s::integer] AS named,
           (array_agg(error ORDER BY page) FILTER (WHERE error IS NOT NULL))[1:%(most)s::integer] AS errors,
           count(error) AS with_error
    FROM page_texts WHERE document_id = %(id)s
"""
_FINISH = """
    UPDATE documents SET text_status = %(status)s, text_error = %(error)s WHERE id = %(id)s RETURNING channel_id
"""
# A document that waits or is being read has its job already.
_AGAIN = f"""
    UPDATE documents d SET text_status = 'pending', text_error = NULL FROM memberships m
    WHERE d.id = %(id)s AND m.channel_id = d.channel_id AND m.user_id = %(user_id)s
      AND d.text_status IN ('done', 'failed')
    RETURNING {documents.COLUMNS}
"""


class _Begun(TypedDict):
    channel_id: int
    media_type: MediaType
    page_widths: list[float]
    page_heights: list[float]


def document_read(*, document_id: int, again: bool = False, progress: ProgressCallback | None = None) -> None:
    """Read every page that has no text yet, or all pages `again`, and store each in a transaction of its own.

    A page that cannot be read says so, and the others are read. `progress` is called before each page; what it raises
    ends the reading, as do BusyError and a lost database: a further call continues. Nothing is done for a document that
    was deleted. Call it outside of a transaction.
    """
    begun = statements.row(_BEGIN, {"id": document_id})
    if begun is None:
        return
    try:
        _read(document_id, cast(_Begun, begun), again, progress)
    except NotFoundError:
        logger.info("a document was deleted while it was read", extra={"fields": {"document_id": document_id}})


def _read(document_id: int, document: _Begun, again: bool, progress: ProgressCallback | None) -> None:
    data = documents.document_data(document_id=document_id)
    read = {} if again else {row["page"]: row["chars"] for row in statements.rows(_READ_PAGES, {"id": document_id})}
    room = config.current().text_max_chars - sum(read.values())
    count = len(document["page_widths"])
    told = frames.Progress(document_id, document["channel_id"])
    for page, size in enumerate(zip(document["page_widths"], document["page_heights"], strict=True), 1):
        if page in read:
            continue
        stage, percent = ("preprocessing" if page == 1 else "extraction"), 100 * (page - 1) // count
        message = f"page {page} of {count}"
        told.publish(stage, percent, message)
        if progress is not None:
            progress(stage, percent, message)
        statements.release_connection()
        reading, error = _page(document["media_type"], data, page, size, room)
        text = _text(reading["words"])
        room -= len(text)
        stored = {"id": document_id, "page": page, "engine": reading["engine"], "angle": reading["angle"],
                  "words": Jsonb(reading["words"], orjson.dumps), "text": text, "error": error}  # fmt: skip
        if statements.row(_STORE, stored, statements.TRANSFER_S) is None:
            raise NotFoundError(Code.NO_SUCH_DOCUMENT, document_id)
    _finish(document_id)


def _page(
    media_type: MediaType, data: bytes, page: int, size: tuple[float, float], room: int
) -> tuple[PageReading, str | None]:
    """Return what is written on a page, and why that is not all of it."""
    nothing: PageReading = {"engine": "none", "angle": 0.0, "words": []}
    most = config.current().text_max_chars
    too_long = f"the document has more than {most} characters: the rest is left out"
    if room <= 0:
        return nothing, too_long
    if room >= _PAGE_CHARS_MAX:
        room = _PAGE_CHARS_MAX
        too_long = f"the page has more than {room} characters: the rest is left out"
    width, height = size
    wanted = {"number": page, "width": width, "height": height, "max_chars": _READ_BEYOND * room + 100}
    try:
        found = cast(PageReading, decoder.read_page(media_type, data, page=wanted))
    except BrokenFileError as error:
        client_fault(
            logger, "unread_page", "a page cannot be read",
            reason=str(error), cause=error.cause, page=page, media_type=media_type,
        )  # fmt: skip
        return nothing, str(error)
    words = _within(found["words"], room)
    if len(words) == len(found["words"]):
        return found, None
    cut: PageReading = {"engine": found["engine"], "angle": found["angle"], "words": words}
    return cut, too_long


def _within(words: list[Word], room: int) -> list[Word]:
    for index, word in enumerate(words):
        room -= len(word["text"]) + 1
        if room < 0:
            return words[:index]
    return words


def _text(words: list[Word]) -> str:
    lines = groupby(words, key=lambda word: word["line"])
    return "\n".join(" ".join(word["text"] for word in line) for _, line in lines)


def _finish(document_id: int) -> None:
    """Record how the reading of all pages ended, and tell the members."""
    found = statements.row(_ERRORS, {"id": document_id, "most": _NAMED_MAX})
    if found is None:
        return
    error = None
    if found["with_error"]:
        named = [f"page {page}: {why}" for page, why in zip(found["named"], found["errors"], strict=True)]
        further = found["with_error"] - len(named)
        error = "; ".join([*named, f"and {further} more pages"] if further else named)
    _end(document_id, "failed" if found["failed"] == found["pages"] else "done", error)


def document_give_up(*, document_id: int, reason: str, again: bool = False) -> None:
    """Record that a document is not read, and why. Pages that were read stay."""
    del again
    _end(document_id, "failed", reason)


def _end(document_id: int, status: TextStatus, error: str | None) -> None:
    with transaction.atomic():
        row = statements.row(_FINISH, {"id": document_id, "status": status, "error": error})
        if row is not None:
            frames.tell_complete(document_id=document_id, channel_id=row["channel_id"], status=status, error=error)


def document_process(*, document_id: int, user_id: int) -> Document:
    """Have a document read again, as a job. A document that waits for that, or is being read, is left as it is."""
    with transaction.atomic():
        row = statements.row(_AGAIN, {"id": document_id, "user_id": user_id})
        if row is not None:
            jobs.defer_reading(document_id, again=True)
    if row is None:
        return documents.document_get(document_id=document_id, user_id=user_id)
    return documents.document_from(row)


def page_picture(*, document_id: int, page: int, media_type: MediaType, size: tuple[float, float], width: int) -> bytes:
    """Return a picture of a page, as WebP. Checks no membership."""
    try:
        with slow_lane("pictures"):
            data = documents.document_data(document_id=document_id)
            statements.release_connection()
            return decoder.draw(media_type, data, page=page, width=width, ratio=size[1] / size[0])
    except BrokenFileError as error:
        # The upload was accepted, but this page cannot be drawn.
        cause = error.cause or str(error)
        client_fault(
            logger, "no_picture", "no picture can be made of a page", document_id=document_id, page=page, cause=cause
        )
        raise ProblemError(Code.NO_THUMBNAIL, f"no picture can be made of page {page}: {error}") from None
