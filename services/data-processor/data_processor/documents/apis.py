"""Routes of documents."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from data_processor import access
from data_processor.documents import selectors, services, serving
from data_processor.documents.files.names import clean_filename
from data_processor.documents.files.thumbnail import THUMBNAIL_TYPE
from data_processor.documents.uploads import receive
from data_processor.web import bodies, pages
from data_processor.web.auth import identify
from data_processor.web.errors import InvalidError
from data_processor.web.slow_lane import slow_lane


class DocumentUpdate(bodies.Body):
    """What may be changed of a document: its name."""

    filename: bodies.FileName


def document_list(request: HttpRequest) -> HttpResponse:
    """Answer a page of a channel's documents."""
    identity = identify(request)
    channel_id = pages.channel_from(request)
    if channel_id is None:
        raise InvalidError(("channel_id", "say which channel: ?channel_id="))
    page = pages.page_from(request)
    rows = selectors.document_list(channel_id=channel_id, user_id=identity.user_id, page=page)
    return pages.answer(rows, page)


def document_create(request: HttpRequest) -> HttpResponse:
    """Take an upload: multipart, with `file` and `channel_id`."""
    identity = identify(request)
    with slow_lane("uploads"):
        upload = receive(request)
        access.channel_require_member(channel_id=upload.channel_id, user_id=identity.user_id)
        row = services.document_create(
            channel_id=upload.channel_id, user_id=identity.user_id, filename=upload.filename, data=upload.data
        )
    return pages.json(row, 201)


def document_read(request: HttpRequest, document_id: int) -> HttpResponse:
    """Answer one document, without its bytes."""
    row = selectors.document_get(document_id=document_id, user_id=identify(request).user_id)
    return pages.json(row)


def document_update(request: HttpRequest, document_id: int) -> HttpResponse:
    """Rename a document."""
    identity = identify(request)
    change = bodies.read(request, DocumentUpdate)
    row = services.document_update(
        document_id=document_id, user_id=identity.user_id, filename=clean_filename(change.filename)
    )
    return pages.json(row)


def document_delete(request: HttpRequest, document_id: int) -> HttpResponse:
    """Delete a document with everything that belongs to it."""
    services.document_delete(document_id=document_id, identity=identify(request))
    return HttpResponse(status=204)


def document_content(request: HttpRequest, document_id: int) -> HttpResponseBase:
    """Answer a document's bytes, or the part that `Range` asks for."""
    stored = selectors.document_file(document_id=document_id, user_id=identify(request).user_id)
    return serving.serve(
        request,
        serving.File(stored["filename"], stored["media_type"], stored["size"], etag=f'"{stored["sha256"]}"'),
        lambda start, length: selectors.document_part(document_id=document_id, start=start, length=length),
    )


def document_thumbnail(request: HttpRequest, document_id: int) -> HttpResponseBase:
    """Answer a small picture of the first page."""
    stored = selectors.document_file(document_id=document_id, user_id=identify(request).user_id)
    etag = f'"{stored["sha256"]}-thumbnail"'
    if (fresh := serving.unchanged(request, etag)) is not None:
        return fresh
    picture = services.document_thumbnail(document_id=document_id, media_type=stored["media_type"])
    file = serving.File(f"{stored['filename']}.webp", THUMBNAIL_TYPE, len(picture), etag)
    return serving.serve(request, file, lambda start, length: picture[start : start + length])
