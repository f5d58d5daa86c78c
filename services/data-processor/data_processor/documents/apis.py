"""Routes of documents."""

from __future__ import annotations

import hashlib
from typing import get_args

from django.http.response import HttpResponseBase
from servicekit.codes import Code

from data_processor import access
from data_processor.choices import MediaType
from data_processor.documents import selectors, services, serving
from data_processor.documents.files.broken import REFUSALS as FILE_REFUSALS
from data_processor.documents.files.names import clean_filename
from data_processor.documents.files.thumbnail import THUMBNAIL_TYPE
from data_processor.documents.selectors import Document
from data_processor.documents.uploads import UploadReader
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import ChannelQuery, Listed, PageQuery
from data_processor.web.repeats import Keep, Repeatable
from data_processor.web.slow_lane import REFUSALS as SLOW_LANE_REFUSALS
from data_processor.web.slow_lane import slow_lane

_ONE = access.refusals(Code.NO_SUCH_DOCUMENT)


class DocumentUpdate(bodies.Body):
    """The changeable part of a document: its name."""

    model_config = bodies.example(filename="invoice.pdf")

    filename: bodies.FileName


@operation(refuses=access.CHANNEL_REFUSALS)
def document_list(caller: Caller, channel_id: ChannelQuery, page: PageQuery) -> Listed[Document]:
    """Return a page of a channel's documents."""
    return page.of(selectors.document_list(channel_id=channel_id, user_id=caller.user_id, page=page))


@operation(status=201, refuses=(*SLOW_LANE_REFUSALS, *access.CHANNEL_REFUSALS, *FILE_REFUSALS))
def document_create(caller: Caller, once: Repeatable, read: UploadReader) -> Document:
    """Store an upload: multipart, with `file` and `channel_id`."""
    with slow_lane("uploads"):
        upload = read()

        def write(keep: Keep) -> Document:
            access.channel_require_member(channel_id=upload.channel_id, user_id=caller.user_id)
            return services.document_create(
                channel_id=upload.channel_id, user_id=caller.user_id, filename=upload.filename, data=upload.data,
                keep=keep,
            )  # fmt: skip

        # Each try of a client has another boundary, so the body is compared by its fields.
        def fields() -> object:
            return [upload.channel_id, upload.filename, hashlib.sha256(upload.data).hexdigest()]

        return once.run(fields, write, look_first=True)


@operation(refuses=_ONE)
def document_read(caller: Caller, document_id: int) -> Document:
    """Return one document, without its bytes."""
    return selectors.document_get(document_id=document_id, user_id=caller.user_id)


@operation(refuses=_ONE)
def document_update(caller: Caller, document_id: int, body: DocumentUpdate) -> Document:
    """Rename a document."""
    return services.document_update(
        document_id=document_id, user_id=caller.user_id, filename=clean_filename(body.filename)
    )


@operation(refuses=(*_ONE, Code.FORBIDDEN))
def document_delete(caller: Caller, document_id: int) -> None:
    """Delete a document with everything that belongs to it."""
    services.document_delete(document_id=document_id, identity=caller)


@operation(refuses=_ONE, answers=serving.answers(*get_args(MediaType)))
def document_content(caller: Caller, request: serving.FileRequest, document_id: int) -> HttpResponseBase:
    """Return a document's bytes, or the part that `Range` names."""
    stored = selectors.document_file(document_id=document_id, user_id=caller.user_id)
    return serving.serve(
        request,
        serving.File(stored["filename"], stored["media_type"], stored["size"], etag=f'"{stored["sha256"]}"'),
        lambda start, length: selectors.document_part(document_id=document_id, start=start, length=length),
    )


@operation(refuses=(*_ONE, *SLOW_LANE_REFUSALS, Code.NO_THUMBNAIL), answers=serving.answers(THUMBNAIL_TYPE))
def document_thumbnail(caller: Caller, request: serving.FileRequest, document_id: int) -> HttpResponseBase:
    """Return a small picture of the first page."""
    stored = selectors.document_file(document_id=document_id, user_id=caller.user_id)
    etag = f'"{stored["sha256"]}-thumbnail"'
    if (fresh := serving.unchanged(request, etag)) is not None:
        return fresh
    picture = services.document_thumbnail(document_id=document_id, media_type=stored["media_type"])
    file = serving.File(f"{stored['filename']}.webp", THUMBNAIL_TYPE, len(picture), etag)
    return serving.serve(request, file, lambda start, length: picture[start : start + length])
