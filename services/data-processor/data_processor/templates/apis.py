"""Routes of templates."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from servicekit.codes import Code

from data_processor import access
from data_processor.boxes import Box, faults, to_columns
from data_processor.templates import selectors, services
from data_processor.templates.selectors import Template
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.errors import InvalidError
from data_processor.web.operations import operation
from data_processor.web.pages import AnyChannelQuery, Listed, PageQuery

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


@operation(refuses=access.CHANNEL_REFUSALS)
def template_list(caller: Caller, page: PageQuery, channel_id: AnyChannelQuery) -> Listed[Template]:
    """Return a page of the templates of one channel, or of all channels of the caller."""
    return page.of(selectors.template_list(channel_id=channel_id, user_id=caller.user_id, page=page))


@operation(status=201, refuses=(*access.CHANNEL_REFUSALS, Code.NAME_TAKEN))
def template_create(caller: Caller, body: TemplateInput) -> Template:
    """Create a template with its labels."""
    return services.template_create(
        channel_id=body.channel_id, user_id=caller.user_id, name=body.name, labels=_label_rows(body.labels)
    )


@operation(refuses=access.refusals(Code.NO_SUCH_TEMPLATE))
def template_read(caller: Caller, template_id: int) -> Template:
    """Return one template."""
    return selectors.template_get(template_id=template_id, user_id=caller.user_id)


@operation(refuses=(*access.refusals(Code.NO_SUCH_TEMPLATE), Code.NAME_TAKEN))
def template_replace(caller: Caller, template_id: int, body: TemplateReplacement) -> Template:
    """Replace a template's name and labels."""
    return services.template_replace(
        template_id=template_id, user_id=caller.user_id, name=body.name, labels=_label_rows(body.labels)
    )


@operation(refuses=access.refusals(Code.NO_SUCH_TEMPLATE))
def template_delete(caller: Caller, template_id: int) -> None:
    """Delete a template."""
    services.template_delete(template_id=template_id, user_id=caller.user_id)
