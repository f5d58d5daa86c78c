"""JSON bodies: limited in size, and validated by a pydantic model."""

from __future__ import annotations

import threading
import time
from typing import Annotated, Any, Protocol, TypeVar, cast

import orjson
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from servicekit import texts
from servicekit.codes import Code

from data_processor import config
from data_processor.web.errors import InvalidError, ProblemError, TooLargeError, UnsupportedTypeError
from data_processor.web.inputs import ID_MAX, Source
from data_processor.web.slow_lane import REFUSALS as SLOW_LANE_REFUSALS
from data_processor.web.slow_lane import slow_lane

_DRAIN_FACTOR = 4
_CHUNK = 64 * 1024
_REST_S = 5.0
_reading_rests = threading.BoundedSemaphore(2)


class Readable(Protocol):
    """The body of a request, from the server."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _name(value: object) -> object:
    # Runs before lengths are checked. The type refuses values that are no text.
    return texts.name(value) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_no_nul)]
Name = Annotated[str, Field(max_length=200), BeforeValidator(_name)]
FileName = Annotated[str, Field(max_length=200), AfterValidator(_no_nul), AfterValidator(texts.content)]
"""A file name as a client sends it. It is cleaned before it is stored."""
Id = Annotated[int, Field(gt=0, lt=ID_MAX + 1)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", max_length=7), AfterValidator(str.lower)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Body(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", strict=True)


def example(**fields: Any) -> ConfigDict:
    """Return the settings of a body whose description has this example."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


def example_of_change(**fields: Any) -> ConfigDict:
    """Return the settings of a partial change whose description has this example."""

    def complete(schema: dict[str, Any]) -> None:
        _without_defaults(schema)
        schema["examples"] = [fields]

    return ConfigDict(json_schema_extra=complete)


class Change(Body):
    """A partial change: only the sent fields count, so the defaults have no meaning."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    def sent(self) -> dict[str, Any]:
        """Return only the fields that the client sent."""
        return self.model_dump(exclude_unset=True)


BodyT = TypeVar("BodyT", bound=Body)

REFUSALS = (
    Code.WRONG_MEDIA_TYPE,
    *SLOW_LANE_REFUSALS,
    Code.BODY_TOO_LARGE,
    Code.INVALID_JSON,
    Code.INVALID,
)
"""The refusals of `read`."""


def source(model: type[Body]) -> Source:
    """Return the source that reads a JSON body as `model`."""
    return Source(lambda request: read(request, model), REFUSALS, body={"application/json": model})


def read(request: HttpRequest, model: type[BodyT]) -> BodyT:
    """Return the JSON body as `model`. Raises a refusal of `REFUSALS`."""
    if request.content_type != "application/json":
        raise UnsupportedTypeError("send JSON, with Content-Type: application/json")
    with slow_lane("changes"):
        raw = read_bounded(stream_of(request), config.current().body_max_bytes, "the body")
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProblemError(Code.INVALID_JSON, f"the body is not valid JSON: {error}") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid(error) from None


def stream_of(request: HttpRequest) -> Readable:
    """Return the server's stream: Django's own stream is empty if no length is declared."""
    stream: Readable = cast(WSGIRequest, request).environ["wsgi.input"]
    return stream


def read_bounded(stream: Readable, limit: int, what: str) -> bytes:
    """Return the whole of `stream`; raises TooLargeError above `limit` bytes, regardless of the declared length."""
    parts, size = [], 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            drain(stream, limit)
            raise TooLargeError(limit, what)
        parts.append(chunk)
    return b"".join(parts)


def drain(stream: Readable, limit: int) -> None:
    """Read a limited rest: a client that still sends when the connection closes would miss the refusal."""
    left = _DRAIN_FACTOR * limit
    while left > 0 and (chunk := stream.read(_CHUNK)):
        left -= len(chunk)


def read_rest(request: HttpRequest) -> None:
    """Read a limited rest of a refused request.

    A proxy that is still sending when the answer comes and the connection ends makes a 502 of it. Few threads may be at
    this at once, and none for long: for those beyond, the refusal is worth less than the threads.
    """
    if not _has_body(request) or not _reading_rests.acquire(blocking=False):
        return
    try:
        stream = stream_of(request)
        until = time.monotonic() + _REST_S
        left = config.current().upload_max_bytes
        while left > 0 and time.monotonic() < until and (chunk := stream.read(_CHUNK)):
            left -= len(chunk)
    except OSError:
        # The client or the proxy has closed the connection.
        return
    finally:
        _reading_rests.release()


def _has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in request.META


def invalid(error: ValidationError) -> InvalidError:
    """Return a pydantic error as a refusal that names each field, dotted: `bounding_box.width`, `labels.0.name`."""
    return InvalidError(
        *(
            (".".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, "))
            for item in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        )
    )
