"""Reading documents. Each function is one statement that also checks the membership."""

from __future__ import annotations

from typing import Any

from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.errors import NotFoundError
from data_processor.web.pages import Page

COLUMNS = (
    "d.id, d.channel_id, d.uploaded_by, d.filename, d.media_type, d.size, d.sha256, d.page_count, d.width, d.height, "
    "d.created_at, d.updated_at"
)

_IN_CHANNEL = access.newest_in_channel("documents", "d", COLUMNS)

_ONE = """
    SELECT m.user_id, d.channel_id, {columns} FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(document_id)s
"""
_DOCUMENT = _ONE.format(columns=COLUMNS)
_FILE = _ONE.format(columns="d.filename, d.media_type, d.size, d.sha256")
_PART = """
    SELECT substring(data FROM %(start)s::integer FOR %(length)s::integer)
    FROM document_contents WHERE document_id = %(document_id)s
"""
_THUMBNAIL = "SELECT thumbnail FROM document_contents WHERE document_id = %(document_id)s"
_DATA = "SELECT data FROM document_contents WHERE document_id = %(document_id)s"


def document_list(*, channel_id: int, user_id: int, page: Page) -> list[Row]:
    """Return the page of a channel's documents, newest first, in the order of `COLUMNS`."""
    return access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)


def document_get(*, document_id: int, user_id: int) -> Row:
    """Return one document, in the order of `COLUMNS`."""
    row = statements.row(_DOCUMENT, {"document_id": document_id, "user_id": user_id})
    return access.found(row, Code.NO_SUCH_DOCUMENT, document_id)


def document_file(*, document_id: int, user_id: int) -> Row:
    """Return filename, media type, size in bytes and SHA-256 of one document."""
    row = statements.row(_FILE, {"document_id": document_id, "user_id": user_id})
    return access.found(row, Code.NO_SUCH_DOCUMENT, document_id)


def document_part(*, document_id: int, start: int, length: int) -> bytes:
    """Return `length` bytes from offset `start`. Checks no membership. Raises NotFoundError."""
    found: bytes = _content(_PART, document_id, start=start + 1, length=length)
    return found


def document_data(*, document_id: int) -> bytes:
    """Return all bytes. Checks no membership. Raises NotFoundError."""
    found: bytes = _content(_DATA, document_id)
    return found


def document_thumbnail(*, document_id: int) -> bytes | None:
    """Return the thumbnail if it was made already. Checks no membership. Raises NotFoundError."""
    found: bytes | None = _content(_THUMBNAIL, document_id)
    return found


def _content(statement: str, document_id: int, **parameters: int) -> Any:
    row = statements.blob(statement, {"document_id": document_id, **parameters})
    if row is None:
        raise NotFoundError(Code.NO_SUCH_DOCUMENT, document_id)
    return row[0]


def document_shape(row: Row) -> dict[str, Any]:
    """Return a row of `COLUMNS` as clients see it."""
    document_id = row[0]
    address = f"/data-processor/documents/{document_id}/"
    return {
        "id": document_id,
        "channel_id": row[1],
        "uploaded_by": row[2],
        "filename": row[3],
        "media_type": row[4],
        "size": row[5],
        "sha256": row[6],
        "page_count": row[7],
        "width": row[8],
        "height": row[9],
        "created_at": row[10],
        "updated_at": row[11],
        "urls": {"self": address, "content": address + "content", "thumbnail": address + "thumbnail"},
    }
