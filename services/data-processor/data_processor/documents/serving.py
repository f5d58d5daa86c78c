"""Serve a file: entity tags, single byte ranges (RFC 9110), and headers that keep a hostile file harmless."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header, parse_etags
from servicekit.codes import Code

from data_processor.web.errors import ProblemError
from data_processor.web.inputs import Source
from data_processor.web.operations import Answers
from data_processor.web.routing import SAFE

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# A browser that displays the bytes runs no script, loads nothing, and gives them no origin.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


FileRequest = Annotated[
    HttpRequest,
    Source(
        lambda request: request,
        (Code.RANGE_NOT_SATISFIABLE,),
        (
            _header("Range", "The requested part: one range of bytes."),
            _header("If-Range", "The entity tag for which `Range` applies; otherwise the answer is the whole file."),
            _header("If-None-Match", "Entity tags of the versions that the client has."),
        ),
    ),
]
"""A request that `serve` answers."""


def answers(*media_types: str) -> Answers:
    """Return the responses of `serve`, for OpenAPI."""
    content = dict.fromkeys(media_types)
    return {200: content, 206: content, 304: {}}


@dataclass(frozen=True, slots=True)
class File:
    """A file to serve: its name, its type, its size in bytes and its entity tag with quotes."""

    filename: str
    media_type: str
    size: int
    etag: str
    download: bool = False
    """Whether browsers store it and do not display it."""


def unchanged(request: HttpRequest, etag: str) -> HttpResponse | None:
    """Return a 304 if the client has this version of the file."""
    wanted = request.META.get("HTTP_IF_NONE_MATCH")
    if wanted is None or request.method not in SAFE:
        return None
    known = [tag.removeprefix("W/") for tag in parse_etags(wanted)]
    return HttpResponse(status=304, headers={"ETag": etag}) if "*" in known or etag in known else None


def serve(
    request: HttpRequest, file: File, read: Callable[[int, int], bytes | Iterator[bytes]]
) -> HttpResponse | StreamingHttpResponse:
    """Return the file, or the part that the request's `Range` names. `read(start, length)` fetches bytes.

    If it returns an iterator, the bytes are sent as they come. One that ends early cuts the connection off, because
    the length was announced.

    Raises a 416 refusal for a range outside of the file. Several ranges, and ranges in other
    units, are answered with the whole file, as RFC 9110 allows.
    """
    if (fresh := unchanged(request, file.etag)) is not None:
        return fresh
    part = _requested(request, file)
    start, end = part or (0, file.size)
    body = b"" if request.method == "HEAD" else read(start, end - start)
    kind = HttpResponse if isinstance(body, bytes) else StreamingHttpResponse
    response = kind(body, status=200 if part is None else 206, content_type=file.media_type)
    response.headers["Content-Length"] = str(end - start)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = file.etag
    response.headers["Content-Security-Policy"] = _POLICY
    # Browsers display no PDF in a sandbox, so it is sent as a download.
    as_attachment = file.download or file.media_type == "application/pdf"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment, file.filename) or "inline"
    if part is not None:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return response


def _requested(request: HttpRequest, file: File) -> tuple[int, int] | None:
    # Returns start and end (exclusive), or None for the whole file.
    if request.method not in SAFE:
        return None
    condition = request.META.get("HTTP_IF_RANGE")
    match = _RANGE.fullmatch(request.META.get("HTTP_RANGE", "").strip())
    if match is None or match[0] == "bytes=-" or (condition is not None and condition.strip() != file.etag):
        return None
    first, last = match[1], match[2]
    if first == "":
        start, end = max(0, file.size - int(last)), file.size
    else:
        start, end = int(first), min(file.size, int(last) + 1) if last else file.size
        if last and int(last) < start:
            return None
    if start >= end:
        refusal = ProblemError(Code.RANGE_NOT_SATISFIABLE, f"the file has {file.size} bytes")
        refusal.headers["Content-Range"] = f"bytes */{file.size}"
        raise refusal
    return start, end
