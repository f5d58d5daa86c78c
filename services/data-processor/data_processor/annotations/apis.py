"""Routes of annotations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from pydantic import Field

from data_processor.annotations import selectors, services
from data_processor.boxes import Box, Side
from data_processor.web import bodies, pages
from data_processor.web.auth import identify

Status = Literal["pending", "valid", "invalid", "corrected"]
LongText = Annotated[bodies.Text, Field(max_length=20_000)]
PageNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Confidence = Annotated[bodies.Finite, Field(ge=0, le=1)]


class AnnotationInput(bodies.Body):
    """A whole annotation."""

    page: PageNumber = 1
    bounding_box: Box
    label_type: bodies.Name
    label_name: bodies.Name
    colour: bodies.Colour = "#ffcc00"
    text: LongText | None = None
    confidence: Confidence | None = None
    validation_status: Status = "pending"


class BoxChange(bodies.Body):
    """Some sides of a box."""

    x: Side = 0.0
    y: Side = 0.0
    width: Side = 0.0
    height: Side = 0.0


class AnnotationChange(bodies.Body):
    """Some fields of an annotation: only those that are sent count, so the defaults stand for nothing."""

    page: PageNumber = 1
    bounding_box: BoxChange = BoxChange()
    label_type: bodies.Name = ""
    label_name: bodies.Name = ""
    colour: bodies.Colour = ""
    text: LongText | None = None
    confidence: Confidence | None = None
    validation_status: Status = "pending"


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    box = values.pop("bounding_box", {})
    return values | {f"box_{side}": value for side, value in box.items()}


def annotation_list(request: HttpRequest, document_id: int) -> HttpResponse:
    """Answer a page of a document's annotations."""
    identity = identify(request)
    page = pages.page_from(request)
    rows = selectors.annotation_list(document_id=document_id, user_id=identity.user_id, page=page)
    return pages.answer(rows, page, selectors.annotation_shape)


def annotation_create(request: HttpRequest, document_id: int) -> HttpResponse:
    """Put an annotation on a page of a document."""
    identity = identify(request)
    values = _columns(bodies.read(request, AnnotationInput).model_dump())
    row = services.annotation_create(document_id=document_id, user_id=identity.user_id, values=values)
    return pages.json(selectors.annotation_shape(row), 201)


def annotation_read(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Answer one annotation."""
    user_id = identify(request).user_id
    row = selectors.annotation_get(document_id=document_id, annotation_id=annotation_id, user_id=user_id)
    return pages.json(selectors.annotation_shape(row))


def annotation_replace(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Put another annotation in the place of one: what is not sent gets its default."""
    identity = identify(request)
    values = _columns(bodies.read(request, AnnotationInput).model_dump())
    row = services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=identity.user_id, changes=values
    )
    return pages.json(selectors.annotation_shape(row))


def annotation_update(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Change what is sent, and only that; of the box, too, single sides."""
    identity = identify(request)
    changes = _columns(bodies.changes(bodies.read(request, AnnotationChange)))
    row = services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=identity.user_id, changes=changes
    )
    return pages.json(selectors.annotation_shape(row))


def annotation_delete(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Delete an annotation."""
    user_id = identify(request).user_id
    services.annotation_delete(document_id=document_id, annotation_id=annotation_id, user_id=user_id)
    return HttpResponse(status=204)
