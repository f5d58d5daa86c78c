"""Reading the text of pages."""

from __future__ import annotations

from typing import Any, cast

import orjson
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.choices import Engine, MediaType, TextStatus
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.documents.files.read_words import Word
from data_processor.web.errors import ProblemError


class PageText(TypedDict):
    """The text of a page. Sizes and boxes are in pixels of the upright image or in points of the PDF's page.

    `angle` says by how many degrees, anticlockwise, the picture of the page was turned before it was read.
    `error` says why the page was not read, or not to its end.
    """

    page: int
    width: float
    height: float
    engine: Engine
    angle: float
    words: list[Word]
    text: str
    error: str | None


class PageTextOfDocument(PageText):
    """The text of a page, and whether it was read: until then it has no words."""

    document_id: int
    status: TextStatus


class PageFile(TypedDict):
    """What is needed to draw a page: the file's type and hash, and the size of the page."""

    filename: str
    media_type: MediaType
    sha256: str
    width: float
    height: float


class PageLines(TypedDict):
    """The words of a page, and the beginning of its text."""

    page: int
    words: list[Word]
    text: str


_PAGE = "d.page_widths[%(page)s::integer] AS width, d.page_heights[%(page)s::integer] AS height, d.page_count"
_TEXT = "t.engine, t.angle, t.words::text AS words, t.text, t.error"
_JOINED = "LEFT JOIN page_texts t ON t.document_id = d.id AND t.page = %(page)s::integer"

_FOR_MEMBERS = f"""
    SELECT m.user_id AS member, d.channel_id AS of_channel, d.text_status, d.text_error, {_PAGE}, {_TEXT}
    FROM documents d {_JOINED}
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(id)s
"""
_PAGE_TEXT = f"SELECT {_PAGE}, {_TEXT} FROM documents d {_JOINED} WHERE d.id = %(id)s AND t.page IS NOT NULL"
_PAGE_FILE = f"""
    SELECT m.user_id AS member, d.channel_id AS of_channel, d.filename, d.media_type, d.sha256, {_PAGE}
    FROM documents d LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(id)s
"""
_NEXT_LINES = """
    SELECT page, words::text AS words, left(text, %(chars)s::integer) AS text FROM page_texts
    WHERE document_id = %(id)s AND page > %(after)s::integer AND text <> '' ORDER BY page LIMIT 1
"""
_PAGE_MAX = 2**31 - 1
"""Largest number of a page that Postgres can look for."""


def page_text(document_id: int, page: int) -> PageText | None:
    """Return the text of a page, or None if it was not read yet. Checks no membership."""
    row = statements.row(_PAGE_TEXT, {"id": document_id, "page": page})
    if row is None:
        return None
    del row["page_count"]
    return cast(PageText, {"page": page, **row, "words": orjson.loads(row["words"])})


def page_text_get(*, document_id: int, page: int, user_id: int) -> PageTextOfDocument:
    """Return the text of a page for a member. Raises NotFoundError, NotAMemberError and a 404 for a missing page."""
    row = _of_page(_FOR_MEMBERS, document_id, page, user_id)
    status, error = row.pop("text_status"), row.pop("text_error")
    if row["engine"] is not None:
        status = "failed" if row["engine"] == "none" else "done"
        # Postgres returns the words as JSON.
        row["words"] = orjson.Fragment(row["words"])
    else:
        # A page of a document that was read has its text, unless reading was given up before it.
        status = "failed" if status == "done" else status
        row |= {"engine": "none", "angle": 0.0, "words": [], "text": "", "error": error}
    return cast(PageTextOfDocument, {"document_id": document_id, "page": page, "status": status, **row})


def page_file(*, document_id: int, page: int, user_id: int) -> PageFile:
    """Return what is needed to draw a page, for a member. Raises as `page_text_get` does."""
    return cast(PageFile, _of_page(_PAGE_FILE, document_id, page, user_id))


def lines_after(*, document_id: int, page: int, chars: int) -> PageLines | None:
    """Return the next page after `page` that has text, with `chars` characters of it. Checks no membership."""
    row = statements.row(_NEXT_LINES, {"id": document_id, "after": page, "chars": chars})
    return None if row is None else cast(PageLines, row | {"words": orjson.loads(row["words"])})


def _of_page(statement: str, document_id: int, page: int, user_id: int) -> dict[str, Any]:
    parameters = {"id": document_id, "page": min(page, _PAGE_MAX), "user_id": user_id}
    row: Row = access.found(statements.row(statement, parameters), Code.NO_SUCH_DOCUMENT, document_id)
    count = row.pop("page_count")
    if page > count:
        has = "one page" if count == 1 else f"{count} pages"
        raise ProblemError(Code.NO_SUCH_PAGE, f"there is no page {page}: the document has {has}")
    return row
