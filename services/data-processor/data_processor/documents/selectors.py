"""Reading documents. Each function is one statement that also checks the membership."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.choices import MediaType, TextStatus
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.shapes import columns
from data_processor.web.errors import NotFoundError
from data_processor.web.pages import Page


class Urls(TypedDict):
    """The addresses of a document and its bytes."""

    self: str
    content: str
    thumbnail: str


class Document(TypedDict):
    """A document, without its bytes."""

    id: int
    channel_id: int
    uploaded_by: int | None
    filename: str
    media_type: MediaType
    size: int
    sha256: str
    damage: list[str]
    page_count: int
    width: float
    height: float
    text_status: TextStatus
    text_error: str | None
    created_at: datetime
    updated_at: datetime
    urls: Urls


class StoredFile(TypedDict):
    """The metadata of a document's file that is served with its bytes."""

    filename: str
    media_type: MediaType
    size: int
    sha256: str


COLUMNS = columns("d", Document, urls=None)
_IN_CHANNEL = access.newest_in_channel("documents", "d", COLUMNS)
_DOCUMENT = access.one("documents", "d", COLUMNS)
_FILE = access.one("documents", "d", columns("d", StoredFile))
_PART = """
    SELECT substring(data FROM %(start)s::integer FOR %(length)s::integer) AS found
    FROM documents d JOIN document_contents c USING (sha256) WHERE d.id = %(document_id)s
"""
_THUMBNAIL = """
    SELECT thumbnail AS found FROM documents d JOIN document_contents c USING (sha256) WHERE d.id = %(document_id)s
"""
_DATA = "SELECT data AS found FROM documents d JOIN document_contents c USING (sha256) WHERE d.id = %(document_id)s"


def document_list(*, channel_id: int, user_id: int, page: Page) -> list[Document]:
    """Return the page of a channel's documents, newest first."""
    rows = access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    return [document_from(row) for row in rows]


def document_get(*, document_id: int, user_id: int) -> Document:
    """Return one document."""
    return document_from(access.find(_DOCUMENT, Code.NO_SUCH_DOCUMENT, object_id=document_id, user_id=user_id))


def document_from(row: Row) -> Document:
    """Return a row of `COLUMNS` as it is sent to clients."""
    address = f"/data-processor/documents/{row['id']}/"
    row["urls"] = {"self": address, "content": address + "content", "thumbnail": address + "thumbnail"}
    return cast(Document, row)


def document_file(*, document_id: int, user_id: int) -> StoredFile:
    """Return the metadata of a document's file."""
    row = access.find(_FILE, Code.NO_SUCH_DOCUMENT, object_id=document_id, user_id=user_id)
    return cast(StoredFile, row)


def document_part(*, document_id: int, start: int, length: int) -> bytes:
    """Return `length` bytes from offset `start`. Checks no membership. Raises NotFoundError."""
    found: bytes = _content(_PART, document_id, start=start + 1, length=length)
    return found


def document_data(*, document_id: int) -> bytes:
    """Return all bytes. Checks no membership. Raises NotFoundError."""
    found: bytes = _content(_DATA, document_id)
    return found


def document_thumbnail(*, document_id: int) -> bytes | None:
    """Return the thumbnail if it exists. Checks no membership. Raises NotFoundError."""
    found: bytes | None = _content(_THUMBNAIL, document_id)
    return found


def _content(statement: str, document_id: int, **parameters: int) -> Any:
    row = statements.blob(statement, {"document_id": document_id, **parameters})
    if row is None:
        raise NotFoundError(Code.NO_SUCH_DOCUMENT, document_id)
    return row["found"]
