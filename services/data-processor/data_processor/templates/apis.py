"""Routes of templates."""

from __future__ import annotations

import re
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from pydantic import AfterValidator, Field

from data_processor.boxes import Box, faults, to_columns
from data_processor.templates import selectors, services
from data_processor.web import bodies, pages
from data_processor.web.auth import identify
from data_processor.web.errors import InvalidError

LABELS_MAX = 200


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return pattern


Format = Annotated[bodies.Text, Field(max_length=500), AfterValidator(_compiles)]


class LabelInput(bodies.Body):
    """A label of a template; its box is relative to the page (0 to 1)."""

    name: bodies.Name
    label_type: bodies.Name
    colour: bodies.Colour = "#ffcc00"
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    bounding_box: Box
    expected_format: Format | None = None
    required: bool = False


class TemplateReplacement(bodies.Body):
    """A template's name and its labels, in order."""

    name: bodies.Name
    labels: Annotated[list[LabelInput], Field(max_length=LABELS_MAX, default_factory=list)]


class TemplateInput(TemplateReplacement):
    """A new template, and its channel."""

    channel_id: bodies.Id


def _label_rows(labels: list[LabelInput]) -> list[dict[str, Any]]:
    # Returns the columns of template_labels. Raises InvalidError for boxes off the page and names that occur twice.
    wrong: list[tuple[str, str]] = []
    rows: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        wrong += faults(label.bounding_box, 1.0, 1.0, f"labels.{index}.bounding_box")
        first = seen.setdefault(label.name.lower(), index)
        if first != index:
            wrong.append((f"labels.{index}.name", f"is the name of label {first} already"))
        rows.append(to_columns(label.model_dump()) | {"position": index + 1})
    if wrong:
        raise InvalidError(*wrong)
    return rows


def template_list(request: HttpRequest) -> HttpResponse:
    """Answer a page of the templates of one channel, or of all channels of the caller."""
    identity = identify(request)
    page = pages.page_from(request)
    rows = selectors.template_list(channel_id=pages.channel_from(request), user_id=identity.user_id, page=page)
    return pages.answer(rows, page)


def template_create(request: HttpRequest) -> HttpResponse:
    """Create a template with its labels."""
    identity = identify(request)
    body = bodies.read(request, TemplateInput)
    row = services.template_create(
        channel_id=body.channel_id, user_id=identity.user_id, name=body.name, labels=_label_rows(body.labels)
    )
    return pages.json(row, 201)


def template_read(request: HttpRequest, template_id: int) -> HttpResponse:
    """Answer one template."""
    row = selectors.template_get(template_id=template_id, user_id=identify(request).user_id)
    return pages.json(row)


def template_replace(request: HttpRequest, template_id: int) -> HttpResponse:
    """Put another name and other labels in the place of a template's."""
    identity = identify(request)
    body = bodies.read(request, TemplateReplacement)
    row = services.template_replace(
        template_id=template_id, user_id=identity.user_id, name=body.name, labels=_label_rows(body.labels)
    )
    return pages.json(row)


def template_delete(request: HttpRequest, template_id: int) -> HttpResponse:
    """Delete a template."""
    services.template_delete(template_id=template_id, user_id=identify(request).user_id)
    return HttpResponse(status=204)
