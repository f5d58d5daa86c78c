"""Routes of pages: their text and their pictures."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from servicekit.codes import Code

from data_processor import access
from data_processor.documents import serving
from data_processor.documents.files import page_picture
from data_processor.documents.selectors import Document
from data_processor.reading import selectors, services
from data_processor.reading.selectors import PageTextOfDocument
from data_processor.web.auth import Caller
from data_processor.web.errors import RETRY_AFTER_S
from data_processor.web.inputs import Number
from data_processor.web.operations import JSON, json_response, operation
from data_processor.web.slow_lane import REFUSALS as SLOW_LANE_REFUSALS

_ONE = access.refusals(Code.NO_SUCH_DOCUMENT)
_PAGE = (*_ONE, Code.NO_SUCH_PAGE)
_WIDTH = Number(
    "width",
    "Width of the picture in pixels. An image is not enlarged, and a page that is very high gets a narrower picture.",
    most=page_picture.WIDTH_MAX,
    default=page_picture.WIDTH,
)
_WAITING = ("pending", "running")


@operation(refuses=_PAGE, answers={200: {JSON: PageTextOfDocument}, 202: {JSON: PageTextOfDocument}})
def page_text_read(caller: Caller, document_id: int, page: int) -> HttpResponse:
    """Return the words of a page with their boxes. The answer is 202, without words, until the page was read."""
    found = selectors.page_text_get(document_id=document_id, page=page, user_id=caller.user_id)
    if found["status"] not in _WAITING:
        return json_response(found)
    response = json_response(found, 202)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@operation(refuses=(*_PAGE, *SLOW_LANE_REFUSALS, Code.NO_THUMBNAIL), answers=serving.answers(page_picture.TYPE))
def page_image_read(
    caller: Caller,
    request: serving.FileRequest,
    width: Annotated[int, _WIDTH.source()],
    document_id: int,
    page: int,
) -> HttpResponseBase:
    """Return a picture of a page."""
    stored = selectors.page_file(document_id=document_id, page=page, user_id=caller.user_id)
    etag = f'"{stored["sha256"]}-{page}-{width}"'
    if (fresh := serving.unchanged(request, etag)) is not None:
        return fresh
    picture = services.page_picture(
        document_id=document_id,
        page=page,
        media_type=stored["media_type"],
        size=(stored["width"], stored["height"]),
        width=width,
    )
    file = serving.File(f"{stored['filename']}-{page}.webp", page_picture.TYPE, len(picture), etag)
    return serving.serve(request, file, lambda start, length: picture[start : start + length])


@operation(status=202, refuses=_ONE)
def document_process(caller: Caller, document_id: int) -> Document:
    """Have the text of a document read again. `text_status` says how far that is."""
    return services.document_process(document_id=document_id, user_id=caller.user_id)
