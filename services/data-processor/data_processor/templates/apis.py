"""Routes of templates."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, Field
from servicekit.codes import Code

from data_processor import access
from data_processor.boxes import Box, faults, to_columns
from data_processor.choices import DateOrder, DecimalSeparator, ValueType
from data_processor.templates import formats, selectors, services
from data_processor.templates.selectors import Template
from data_processor.templates.sources import REFUSALS as SOURCE_REFUSALS
from data_processor.templates.sources import Source
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.errors import InvalidError
from data_processor.web.operations import operation
from data_processor.web.pages import AnyChannelQuery, Listed, PageQuery
from data_processor.web.repeats import Keep, Repeatable
from data_processor.web.slow_lane import slow_lane

LABELS_MAX = 200
PageNumber = Annotated[int, Field(ge=1, le=10_000)]


def _compiles(pattern: str) -> str:
    try:
        formats.check(pattern)
    except formats.FormatError as error:
        raise ValueError(f"is not a regular expression that RE2 takes: {error}") from None
    return pattern


Format = Annotated[bodies.Text, Field(max_length=formats.FORMAT_MAX), AfterValidator(_compiles)]


_LABEL = {
    "name": "invoice number",
    "label_type": "text",
    "required": True,
    "expected_format": "[0-9]{4}-[0-9]+",
    "bounding_box": {"x": 0.6, "y": 0.1, "width": 0.3, "height": 0.05},
}


class LabelInput(bodies.Body):
    """A label of a template; its box is relative to the page (0 to 1).

    With `every_page`, it is looked for on every page of a document. `value_type` is `label_type` where that names one,
    else `text`.
    """

    model_config = bodies.example(**_LABEL)

    name: bodies.Name
    label_type: bodies.Name
    colour: bodies.Colour = "#ffcc00"
    page: PageNumber = 1
    every_page: bool = False
    bounding_box: Box
    value_type: ValueType | None = None
    expected_format: Format | None = None
    required: bool = False


class TemplateReplacement(bodies.Body):
    """A template's name, its labels, in order, and how their values are read.

    A template is made from `source_document_id`, if it is sent: `source_page` is page 1 of the template, and the words
    of the pages are stored. Without it, a new template has no source, and another keeps its own; null removes it.
    """

    model_config = bodies.example(name="Invoice", date_order="DMY", decimal_separator=",", labels=[_LABEL])

    name: bodies.Name
    date_order: DateOrder | None = None
    decimal_separator: DecimalSeparator | None = None
    source_document_id: bodies.Id | None = None
    source_page: PageNumber = 1
    labels: Annotated[list[LabelInput], Field(max_length=LABELS_MAX, default_factory=list)]


class TemplateInput(TemplateReplacement):
    """A new template, and its channel."""

    model_config = bodies.example(channel_id=1, name="Invoice", labels=[_LABEL])

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
        kind = label.label_type.lower()
        value_type = label.value_type or (kind if kind in get_args(ValueType) else "text")
        rows.append(to_columns(label.model_dump()) | {"position": index + 1, "value_type": value_type})
    if wrong:
        raise InvalidError(*wrong)
    return rows


@operation(refuses=access.CHANNEL_REFUSALS)
def template_list(caller: Caller, page: PageQuery, channel_id: AnyChannelQuery) -> Listed[Template]:
    """Return a page of the templates of one channel, or of all channels of the caller."""
    return page.of(selectors.template_list(channel_id=channel_id, user_id=caller.user_id, page=page))


def _values(body: TemplateReplacement) -> services.TemplateValues:
    return {
        "name": body.name,
        "date_order": body.date_order,
        "decimal_separator": body.decimal_separator,
        "labels": _label_rows(body.labels),
    }


def _source(body: TemplateReplacement) -> Source | None:
    return None if body.source_document_id is None else Source(body.source_document_id, body.source_page)


@operation(status=201, refuses=(*access.CHANNEL_REFUSALS, *SOURCE_REFUSALS, Code.NAME_TAKEN))
def template_create(caller: Caller, once: Repeatable, body: TemplateInput) -> Template:
    """Create a template with its labels."""

    def write(keep: Keep) -> Template:
        return services.template_create(
            channel_id=body.channel_id, user_id=caller.user_id, values=_values(body), source=_source(body), keep=keep
        )

    with slow_lane("changes"):
        return once.run(body.model_dump, write, again=selectors.template_again)


@operation(refuses=access.refusals(Code.NO_SUCH_TEMPLATE))
def template_read(caller: Caller, template_id: int) -> Template:
    """Return one template."""
    return selectors.template_get(template_id=template_id, user_id=caller.user_id)


@operation(refuses=(*access.refusals(Code.NO_SUCH_TEMPLATE), *SOURCE_REFUSALS, Code.NAME_TAKEN))
def template_replace(caller: Caller, template_id: int, body: TemplateReplacement) -> Template:
    """Replace a template's name and labels, and raise its version. Labels keep their ids by their names."""
    with slow_lane("changes"):
        return services.template_replace(
            template_id=template_id,
            user_id=caller.user_id,
            values=_values(body),
            source=_source(body) if "source_document_id" in body.model_fields_set else services.KEEP,
        )


@operation(refuses=access.refusals(Code.NO_SUCH_TEMPLATE))
def template_delete(caller: Caller, template_id: int) -> None:
    """Delete a template."""
    services.template_delete(template_id=template_id, user_id=caller.user_id)
