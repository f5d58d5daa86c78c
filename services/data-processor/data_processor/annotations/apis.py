"""Routes of annotations."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from pydantic import Field

from data_processor.annotations import selectors, services
from data_processor.boxes import Box, Side, to_columns
from data_processor.choices import ValidationStatus
from data_processor.web import bodies, pages
from data_processor.web.auth import identify

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
    validation_status: ValidationStatus = "pending"


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
    validation_status: ValidationStatus = "pending"


def annotation_list(request: HttpRequest, document_id: int) -> HttpResponse:
    """Answer a page of a document's annotations."""
    identity = identify(request)
    page = pages.page_from(request)
    rows = selectors.annotation_list(document_id=document_id, user_id=identity.user_id, page=page)
    return pages.answer(rows, page)


def annotation_create(request: HttpRequest, document_id: int) -> HttpResponse:
    """Put an annotation on a page of a document."""
    identity = identify(request)
    values = to_columns(bodies.read(request, AnnotationInput).model_dump())
    row = services.annotation_create(document_id=document_id, user_id=identity.user_id, values=values)
    return pages.json(row, 201)


def annotation_read(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Answer one annotation."""
    user_id = identify(request).user_id
    row = selectors.annotation_get(document_id=document_id, annotation_id=annotation_id, user_id=user_id)
    return pages.json(row)


def annotation_replace(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Put another annotation in the place of one: what is not sent gets its default."""
    identity = identify(request)
    values = to_columns(bodies.read(request, AnnotationInput).model_dump())
    row = services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=identity.user_id, changes=values
    )
    return pages.json(row)


def annotation_update(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Change what is sent, and only that; of the box, too, single sides."""
    identity = identify(request)
    changes = to_columns(bodies.changes(bodies.read(request, AnnotationChange)))
    row = services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=identity.user_id, changes=changes
    )
    return pages.json(row)


def annotation_delete(request: HttpRequest, document_id: int, annotation_id: int) -> HttpResponse:
    """Delete an annotation."""
    user_id = identify(request).user_id
    services.annotation_delete(document_id=document_id, annotation_id=annotation_id, user_id=user_id)
    return HttpResponse(status=204)
