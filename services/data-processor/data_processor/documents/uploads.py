"""Read an upload from a multipart body. The limit counts the bytes that arrive, not the declared length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, multipartparser
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from pydantic import WithJsonSchema
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import config
from data_processor.documents.files.names import sent_filename
from data_processor.web import bodies
from data_processor.web.bodies import Readable, drain, stream_of
from data_processor.web.errors import InvalidError, ProblemError, TooLargeError, UnsupportedTypeError
from data_processor.web.inputs import Number, Source

_FORM = "multipart/form-data"
# A name of 255 characters, encoded twice (for `filename` and `filename*`), has more than Django's 1,024 bytes.
multipartparser.MAX_TOTAL_HEADER_SIZE = 16 * 1024  # type: ignore[attr-defined]  # the stubs lack it
_TAIL = 1024
"""Space for the longest closing boundary and a client's bytes after it."""


_CHANNEL = Number("channel_id", "The channel of the document.")


class UploadForm(TypedDict):
    """The form of an upload."""

    file: Annotated[bytes, WithJsonSchema({"type": "string", "contentMediaType": "application/octet-stream"})]
    channel_id: bodies.Id


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file and its channel."""

    channel_id: int
    filename: str
    data: bytes


def _receive(request: HttpRequest) -> Upload:
    """Return the upload in a request. Raises 400 for a broken body, 413, 415 and 422 for missing or odd fields."""
    if request.content_type != _FORM:
        raise UnsupportedTypeError("send the document as multipart/form-data with the fields file and channel_id")
    limit = config.current().upload_max_bytes
    stream = stream_of(request)
    body = _CountingStream(stream, limit + config.FORM_OVERHEAD)
    handler = _InMemory(limit)
    # A chunked body declares no length, and a declared length may be wrong: the stream counts.
    meta = {"CONTENT_TYPE": request.META.get("CONTENT_TYPE", ""), "CONTENT_LENGTH": str(limit)}
    try:
        parser = _Parser(meta, body, [handler], "utf-8")  # type: ignore[arg-type]  # it needs only read()
        fields, _files = parser.parse()
    except (TooLargeError, RequestDataTooBig):
        drain(stream, limit)
        raise TooLargeError(limit, "the document") from None
    except (MultiPartParserError, SuspiciousOperation, ValueError, LookupError) as error:
        drain(stream, limit)
        raise ProblemError(Code.MALFORMED_BODY, f"the multipart body is malformed: {error}") from None
    _refuse_incomplete(request, body, b"--" + parser.boundary + b"--")
    channel_id = _CHANNEL.within(fields)
    missing = []
    if channel_id is None:
        missing.append(("channel_id", "is missing"))
    if handler.filename is None:
        missing.append(("file", "is missing: send a part of this name that has a file name, in UTF-8"))
    if channel_id is None or handler.filename is None:
        raise InvalidError(*missing)
    return Upload(channel_id, handler.filename, b"".join(handler.parts))


UploadReader = Annotated[
    Callable[[], Upload],
    Source(
        lambda request: partial(_receive, request),
        (Code.WRONG_MEDIA_TYPE, Code.BODY_TOO_LARGE, Code.MALFORMED_BODY, Code.INCOMPLETE, Code.INVALID),
        body={_FORM: UploadForm},
    ),
]
"""A function that reads the upload of a request, called in the slow lane."""


def _refuse_incomplete(request: HttpRequest, body: _CountingStream, end: bytes) -> None:
    declared = request.META.get("CONTENT_LENGTH", "")
    if declared.isdigit() and body.count < int(declared):
        raise ProblemError(Code.INCOMPLETE, f"the upload ended after {body.count} of {declared} bytes: send it again")
    # An interrupted chunked body looks complete to the parser.
    if end not in body.tail:
        raise ProblemError(Code.INCOMPLETE, "the upload ended before its closing boundary: send it again")


class _CountingStream:
    """Counts the bytes read, raises above a limit, and keeps the last bytes."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.count = 0
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.count += len(chunk)
        self.tail = (self.tail + chunk)[-_TAIL:]
        if self.count > self._limit:
            raise TooLargeError(self._limit, "the document")
        return chunk


class _InMemory(FileUploadHandler):
    """Keeps the bytes of the field `file`. Other files are skipped."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._size = 0
        self._wanted = False
        self.filename: str | None = None
        self.parts: list[bytes] = []

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        """Start a file."""
        super().new_file(field_name, file_name, *args, **kwargs)
        self._wanted = field_name == "file" and self.filename is None
        if self._wanted:
            self.filename = file_name

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Add the next bytes of the file."""
        if self._wanted:
            self._size += len(raw_data)
            if self._size > self._limit:
                raise TooLargeError(self._limit, "the document")
            self.parts.append(raw_data)

    def file_complete(self, file_size: int) -> None:
        """End a file. Its bytes are in `parts`."""


class _Parser(MultiPartParser):
    @property
    def boundary(self) -> bytes:
        """The separator of the parts."""
        found: bytes = self._boundary  # type: ignore[attr-defined]
        return found

    def sanitize_file_name(self, file_name: str) -> str:
        """Return the cleaned name. Django's own cleaning drops the file if no name is left."""
        return sent_filename(file_name)
