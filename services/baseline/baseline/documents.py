"""Documents, annotations and templates in the memory of the process: they end with it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pypdfium2
from fastapi import APIRouter, Body, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError
from servicekit import health
from servicekit.codes import Code

from baseline.chat import Name
from baseline.settings import SERVICE
from baseline.store import Row
from baseline.web import MAX_ID, Baseline, Before, Limit, Own, PathId, Refusal, User, page

router = APIRouter(prefix="/data-processor")

_FILE_MAX, _FILES_MAX = 25 * 2**20, 256 * 2**20
_IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_ONE_AT_A_TIME = ThreadPoolExecutor(1, thread_name_prefix="files")  # PDFium is not thread-safe
_ids = itertools.count(1)
_files: dict[int, bytes] = {}
_documents: dict[int, Row] = {}
_annotations: dict[int, Row] = {}
_templates: dict[int, Row] = {}
_KINDS = (
    (_documents, Code.NO_SUCH_DOCUMENT, 10_000),
    (_annotations, Code.NO_SUCH_ANNOTATION, 20_000),
    (_templates, Code.NO_SUCH_TEMPLATE, 1_000),
)
"""Each with its refusal, and how many there may be in memory."""
ChannelId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Box(BaseModel):
    """A box, from the top left corner."""

    x: float = Field(ge=0, allow_inf_nan=False)
    y: float = Field(ge=0, allow_inf_nan=False)
    width: float = Field(gt=0, allow_inf_nan=False)
    height: float = Field(gt=0, allow_inf_nan=False)


class Marked(BaseModel):
    """What annotations and labels have in common."""

    label_type: Name
    colour: str = Field("#ffcc00", pattern="^#[0-9a-fA-F]{6}$")
    page: int = Field(1, ge=1, le=10_000)
    bounding_box: Box


class Annotation(Marked):
    """An annotation; its box is in pixels or points of the page."""

    label_name: Name
    text: str | None = Field(None, max_length=2_000)
    confidence: float | None = Field(None, ge=0, le=1)
    validation_status: Literal["pending", "valid", "invalid", "corrected"] = "pending"


class Label(Marked):
    """A label of a template; its box is relative to the page."""

    name: Name
    expected_format: str | None = Field(None, max_length=500)
    required: bool = False


class Replacement(BaseModel):
    """The name and the labels of a template."""

    name: Name
    labels: list[Label] = Field(default_factory=list, max_length=50)


class Template(Replacement):
    """A template, and its channel."""

    channel_id: ChannelId


def _add(kept: dict[int, Row], **values: Any) -> Row:
    if len(kept) >= next(most for kind, _, most in _KINDS if kind is kept):
        raise Refusal(Code.UNAVAILABLE, "the memory for this is full: delete something first")
    row = {"id": next(_ids), **values, "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC)}
    kept[row["id"]] = row
    return row


def _find(own: Baseline, user: Row, kept: dict[int, Row], wanted: int) -> Row:
    row = kept.get(wanted)
    if row is None or user["id"] not in own.members(row["channel_id"]):
        raise Refusal(next(code for kind, code, _ in _KINDS if kind is kept))
    return row


def _list(kept: dict[int, Row], before: int, limit: int, name: str, value: int) -> dict[str, Any]:
    found = (row for key, row in reversed(kept.items()) if key < before and row[name] == value)
    return page(list(itertools.islice(found, limit + 1)), limit)


def _change(row: Row, **values: Any) -> Row:
    row.update(values, updated_at=datetime.now(UTC))
    return row


def _kind(request: Request) -> dict[int, Row]:
    return _documents if request.url.path.startswith("/data-processor/documents/") else _templates


def _measure(data: bytes) -> tuple[str, int, float, float]:
    """Return media type, number of pages and size of a file. Raises Refusal."""
    try:
        if data.startswith(b"%PDF-"):
            pdf = pypdfium2.PdfDocument(data)
            return "application/pdf", len(pdf), *pdf[0].get_size()
        with Image.open(io.BytesIO(data), formats=[*_IMAGES]) as image:
            kind, size = _IMAGES[str(image.format)], image.size
            image.verify()
        return kind, 1, *size
    except UnidentifiedImageError:
        raise Refusal(Code.WRONG_MEDIA_TYPE, "PNG, JPEG, WebP and PDF are accepted") from None
    except Exception as error:  # decoders raise many kinds
        raise Refusal(Code.BROKEN_FILE, f"the file cannot be read: {error}") from None


@router.get("/health")
@router.get("/health/live")
async def read_health(own: Own) -> Row:
    """Say that documents can be served."""
    return dict(health.payload(SERVICE, own.settings.stack_id))


@router.post("/documents/", status_code=201)
async def create_document(file: UploadFile, channel_id: Annotated[ChannelId, Form()], user: User, own: Own) -> Row:
    """Keep a file of a channel."""
    own.channel(channel_id, user)
    data = await file.read(_FILE_MAX + 1)
    if len(data) > _FILE_MAX:
        raise Refusal(Code.BODY_TOO_LARGE)
    if sum(map(len, _files.values())) + len(data) > _FILES_MAX:
        raise Refusal(Code.UNAVAILABLE, "the memory for documents is full: delete some first")
    kind, pages, width, height = await asyncio.get_running_loop().run_in_executor(_ONE_AT_A_TIME, _measure, data)
    file_facts = {"media_type": kind, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    size = {"page_count": pages, "width": width, "height": height}
    told = {"channel_id": channel_id, "uploaded_by": user["id"], "filename": (file.filename or "unnamed")[:255]}
    row = _add(_documents, **told, **file_facts, **size)
    address = f"/data-processor/documents/{row['id']}/"
    row["urls"] = {"self": address, "content": f"{address}content", "thumbnail": f"{address}content"}
    _files[row["id"]] = data
    frame = {"type": "document_uploaded", "document_id": row["id"], **told, "thumbnail_url": row["urls"]["thumbnail"]}
    own.hub.deliver(own.members(channel_id), frame)
    return row


@router.get("/documents/")
@router.get("/templates/")
async def list_of_channel(
    request: Request, channel_id: ChannelId, user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50
) -> dict[str, Any]:
    """List a channel's documents or templates."""
    own.channel(channel_id, user)
    return _list(_kind(request), before, limit, "channel_id", channel_id)


@router.get("/documents/{wanted}/")
@router.get("/templates/{wanted}/")
async def read_one(request: Request, wanted: PathId, user: User, own: Own) -> Row:
    """Return one document or template."""
    return _find(own, user, _kind(request), wanted)


@router.get("/documents/{wanted}/content")
async def read_content(wanted: PathId, user: User, own: Own) -> Response:
    """Return the bytes of a document."""
    row = _find(own, user, _documents, wanted)
    safe = {"ETag": f'"{row["sha256"]}"', "Content-Security-Policy": "sandbox", "Content-Disposition": "attachment"}
    return Response(_files[wanted], media_type=row["media_type"], headers=safe)


@router.patch("/documents/{wanted}/")
async def rename_document(wanted: PathId, filename: Annotated[Name, Body(embed=True)], user: User, own: Own) -> Row:
    """Rename a document."""
    return _change(_find(own, user, _documents, wanted), filename=filename)


@router.delete("/documents/{wanted}/", status_code=204)
@router.delete("/templates/{wanted}/", status_code=204)
async def delete_one(request: Request, wanted: PathId, user: User, own: Own) -> None:
    """Delete a template, or a document with its annotations."""
    del _kind(request)[_find(own, user, _kind(request), wanted)["id"]]
    _files.pop(wanted, None)
    for key in [key for key, row in _annotations.items() if row["document_id"] == wanted]:
        del _annotations[key]


@router.get("/documents/{wanted}/annotations/")
async def list_annotations(
    wanted: PathId, user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50
) -> dict[str, Any]:
    """List a document's annotations."""
    return _list(_annotations, before, limit, "document_id", _find(own, user, _documents, wanted)["id"])


@router.post("/documents/{wanted}/annotations/", status_code=201)
async def create_annotation(wanted: PathId, body: Annotation, user: User, own: Own) -> Row:
    """Annotate a document."""
    document = _find(own, user, _documents, wanted)
    of = {"document_id": wanted, "channel_id": document["channel_id"], "created_by": user["id"]}
    return _add(_annotations, **of, **body.model_dump())


@router.get("/documents/{document_id}/annotations/{wanted}/")
async def read_annotation(document_id: PathId, wanted: PathId, user: User, own: Own) -> Row:
    """Return one annotation."""
    row = _find(own, user, _annotations, wanted)
    if row["document_id"] != document_id:
        raise Refusal(Code.NO_SUCH_ANNOTATION)
    return row


@router.put("/documents/{document_id}/annotations/{wanted}/")
async def replace_annotation(document_id: PathId, wanted: PathId, body: Annotation, user: User, own: Own) -> Row:
    """Replace an annotation."""
    return _change(await read_annotation(document_id, wanted, user, own), **body.model_dump())


@router.patch("/documents/{document_id}/annotations/{wanted}/")
async def update_annotation(document_id: PathId, wanted: PathId, body: Row, user: User, own: Own) -> Row:
    """Change the fields of an annotation that are sent."""
    row = await read_annotation(document_id, wanted, user, own)
    try:
        return _change(row, **Annotation.model_validate({**row, **body}).model_dump())
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None


@router.delete("/documents/{document_id}/annotations/{wanted}/", status_code=204)
async def delete_annotation(document_id: PathId, wanted: PathId, user: User, own: Own) -> None:
    """Delete an annotation."""
    del _annotations[(await read_annotation(document_id, wanted, user, own))["id"]]


@router.post("/templates/", status_code=201)
async def create_template(body: Template, user: User, own: Own) -> Row:
    """Create a template."""
    own.channel(body.channel_id, user)
    return _add(_templates, created_by=user["id"], **body.model_dump())


@router.put("/templates/{wanted}/")
async def replace_template(wanted: PathId, body: Replacement, user: User, own: Own) -> Row:
    """Replace a template's name and labels."""
    return _change(_find(own, user, _templates, wanted), **body.model_dump())
