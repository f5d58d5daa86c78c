"""Routes of annotations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from servicekit.codes import Code

from data_processor import access
from data_processor.annotations import selectors, services
from data_processor.annotations.selectors import Annotation
from data_processor.boxes import Box, Side, to_columns
from data_processor.choices import ValidationStatus
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import Listed, PageQuery
from data_processor.web.repeats import Repeatable

LongText = Annotated[bodies.Text, Field(max_length=20_000)]
PageNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Confidence = Annotated[bodies.Finite, Field(ge=0, le=1)]


class AnnotationInput(bodies.Body):
    """A whole annotation."""

    model_config = bodies.example(
        label_name="invoice number",
        label_type="text",
        text="2026-17",
        validation_status="valid",
        bounding_box={"x": 360, "y": 84, "width": 180, "height": 42},
    )

    page: PageNumber = 1
    bounding_box: Box
    label_type: bodies.Name
    label_name: bodies.Name
    colour: bodies.Colour = "#ffcc00"
    text: LongText | None = None
    confidence: Confidence | None = None
    validation_status: ValidationStatus = "pending"


class BoxChange(bodies.Change):
    """Some sides of a box."""

    x: Side = 0.0
    y: Side = 0.0
    width: Side = 0.0
    height: Side = 0.0


class AnnotationChange(bodies.Change):
    """Some fields of an annotation."""

    model_config = bodies.example_of_change(text="2026-18", validation_status="corrected")

    page: PageNumber = 1
    bounding_box: BoxChange = BoxChange()
    label_type: bodies.Name = ""
    label_name: bodies.Name = ""
    colour: bodies.Colour = ""
    text: LongText | None = None
    confidence: Confidence | None = None
    validation_status: ValidationStatus = "pending"


_OF_DOCUMENT = access.refusals(Code.NO_SUCH_DOCUMENT)
_ONE = (*_OF_DOCUMENT, Code.NO_SUCH_ANNOTATION)


@operation(refuses=_OF_DOCUMENT)
def annotation_list(caller: Caller, document_id: int, page: PageQuery) -> Listed[Annotation]:
    """Return a page of a document's annotations."""
    return page.of(selectors.annotation_list(document_id=document_id, user_id=caller.user_id, page=page))


@operation(status=201, refuses=_OF_DOCUMENT)
def annotation_create(caller: Caller, once: Repeatable, document_id: int, body: AnnotationInput) -> Annotation:
    """Create an annotation on a page of a document."""
    values = to_columns(body.model_dump())
    return services.annotation_create(document_id=document_id, user_id=caller.user_id, values=values, once=once)


@operation(refuses=_ONE)
def annotation_read(caller: Caller, document_id: int, annotation_id: int) -> Annotation:
    """Return one annotation."""
    return selectors.annotation_get(document_id=document_id, annotation_id=annotation_id, user_id=caller.user_id)


@operation(refuses=_ONE)
def annotation_replace(caller: Caller, document_id: int, annotation_id: int, body: AnnotationInput) -> Annotation:
    """Replace an annotation: fields that are not sent get their defaults."""
    changes = to_columns(body.model_dump())
    return services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=caller.user_id, changes=changes
    )


@operation(refuses=_ONE)
def annotation_update(caller: Caller, document_id: int, annotation_id: int, body: AnnotationChange) -> Annotation:
    """Change only the fields that are sent; single sides of the box are possible."""
    changes = to_columns(body.sent())
    return services.annotation_update(
        document_id=document_id, annotation_id=annotation_id, user_id=caller.user_id, changes=changes
    )


@operation(refuses=_ONE)
def annotation_delete(caller: Caller, document_id: int, annotation_id: int) -> None:
    """Delete an annotation."""
    services.annotation_delete(document_id=document_id, annotation_id=annotation_id, user_id=caller.user_id)
