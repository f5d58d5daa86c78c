"""Changing documents. Each function checks, writes in one transaction, and sends its event after the commit."""

from __future__ import annotations

import hashlib
import logging

from django.db import transaction
from servicekit.codes import Code
from servicekit.log.faults import client_fault
from servicekit.tokens import Identity

from data_processor import events, jobs
from data_processor.database import statements
from data_processor.documents import selectors
from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.decoder import decode
from data_processor.documents.files.inspect import inspect
from data_processor.documents.selectors import COLUMNS, Document
from data_processor.frames import DocumentUploaded
from data_processor.web.errors import ForbiddenError, NotAMemberError, NotFoundError, ProblemError
from data_processor.web.repeats import Keep
from data_processor.web.slow_lane import slow_lane

logger = logging.getLogger(__name__)

# One statement stores both the row and the bytes, which an equal document may have brought already. It locks the
# channel before the bytes, as the deletion of a channel does, and the bytes until the commit: no deletion removes them
# meanwhile.
_INSERT = f"""
    WITH member AS (
        SELECT m.channel_id, m.user_id FROM memberships m JOIN channels c ON c.id = m.channel_id
        WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s
        FOR KEY SHARE OF c
    ), stored AS (
        INSERT INTO document_contents (sha256, data) SELECT %(sha256)s, %(data)b FROM member
        ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256
        RETURNING sha256
    ), d AS (
        INSERT INTO documents (
            channel_id, uploaded_by, filename, media_type, size, sha256, damage, page_widths, page_heights
        )
        SELECT m.channel_id, m.user_id, %(filename)s, %(media_type)s, %(size)s, stored.sha256, %(damage)s::text[],
               %(widths)s::float8[], %(heights)s::float8[]
        FROM member m, stored
        RETURNING *
    )
    SELECT {COLUMNS} FROM d
"""

_RENAME = f"""
    UPDATE documents d SET filename = %(filename)s, updated_at = clock_timestamp() FROM memberships m
    WHERE d.id = %(document_id)s AND m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    RETURNING {COLUMNS}
"""

_DELETE = """
    DELETE FROM documents d USING channels c, memberships m
    WHERE d.id = %(document_id)s AND c.id = d.channel_id
      AND m.channel_id = d.channel_id AND m.user_id = %(user_id)s
      AND (d.uploaded_by = m.user_id OR c.created_by = m.user_id OR %(is_operator)s)
    RETURNING d.id
"""

_KEEP_THUMBNAIL = """
    UPDATE document_contents c SET thumbnail = %(thumbnail)b FROM documents d
    WHERE d.id = %(document_id)s AND c.sha256 = d.sha256
    RETURNING 1
"""


def document_create(*, channel_id: int, user_id: int, filename: str, data: bytes, keep: Keep) -> Document:
    """Inspect and store a file, have it read, and send an event to the channel. The caller has checked the membership.

    Raises UnsupportedTypeError (415) and InvalidError (422) for files that are not accepted.
    """
    statements.release_connection()
    found = inspect(data)
    given = {
        "channel_id": channel_id,
        "user_id": user_id,
        "filename": filename,
        "media_type": found.media_type,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "damage": found.damage,
        "widths": [width for width, _ in found.page_sizes],
        "heights": [height for _, height in found.page_sizes],
        "data": data,
    }
    with transaction.atomic():
        row = statements.row(_INSERT, given, statements.TRANSFER_S)
        if row is None:
            raise NotAMemberError(channel_id)
        jobs.defer_reading(row["id"])
        document = selectors.document_from(row)
        frame: DocumentUploaded = {
            "type": "document_uploaded",
            "document_id": document["id"],
            "channel_id": channel_id,
            "uploaded_by": user_id,
            "filename": filename,
            "thumbnail_url": document["urls"]["thumbnail"],
        }
        events.tell(channel_id, frame)
        keep.answer(document)
    return document


def document_update(*, document_id: int, user_id: int, filename: str) -> Document:
    """Rename a document. Any member of its channel may."""
    row = statements.row(_RENAME, {"document_id": document_id, "user_id": user_id, "filename": filename})
    if row is None:
        selectors.document_get(document_id=document_id, user_id=user_id)
        raise NotFoundError(Code.NO_SUCH_DOCUMENT, document_id)
    return selectors.document_from(row)


def document_delete(*, document_id: int, identity: Identity) -> None:
    """Delete a document with its annotations; batch items keep its name and outcome.

    Its uploader, the channel's creator and operators may do so, if they are members of the channel.
    """
    parameters = {"document_id": document_id, "user_id": identity.user_id, "is_operator": identity.is_operator}
    if statements.row(_DELETE, parameters) is None:
        selectors.document_get(document_id=document_id, user_id=identity.user_id)
        raise ForbiddenError(
            Code.FORBIDDEN, "only its uploader, the creator of the channel or an operator may delete a document"
        )


def document_thumbnail(*, document_id: int, media_type: str) -> bytes:
    """Return a document's thumbnail (WebP). The first request creates and stores it."""
    kept = selectors.document_thumbnail(document_id=document_id)
    if kept is not None:
        return kept
    data = selectors.document_data(document_id=document_id)
    statements.release_connection()
    try:
        with slow_lane("thumbnails"):
            _, made = decode("shrink", media_type, data)
    except BrokenFileError as error:
        # The upload was accepted, but it cannot be rendered.
        cause = error.cause or str(error)
        client_fault(logger, "no_thumbnail", "no thumbnail can be made", document_id=document_id, cause=cause)
        raise ProblemError(Code.NO_THUMBNAIL, "no picture can be made of this document") from None
    statements.row(_KEEP_THUMBNAIL, {"document_id": document_id, "thumbnail": made})
    return made
