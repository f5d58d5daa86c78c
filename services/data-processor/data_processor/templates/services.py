"""Changing templates. A template and its labels are written atomically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from django.db import IntegrityError, transaction
from psycopg.types.json import Jsonb
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.database import statements
from data_processor.templates import selectors
from data_processor.templates.selectors import Template
from data_processor.templates.sources import Anchors, Source, anchors_of
from data_processor.web.errors import ConflictError, NotAMemberError
from data_processor.web.repeats import Keep

_LABEL = (
    "position integer, name text, label_type text, colour text, page integer, every_page boolean, value_type text, "
    "box_x float8, box_y float8, box_width float8, box_height float8, expected_format text, required boolean"
)
_COLUMNS = [column.split()[0] for column in _LABEL.split(", ")]

_INSERT = """
    INSERT INTO templates (channel_id, name, date_order, decimal_separator, source_document_id, source_page, created_by)
    SELECT m.channel_id, %(name)s, %(date_order)s, %(decimal_separator)s, %(source_document_id)s::bigint,
           %(source_page)s::integer, m.user_id
    FROM memberships m WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s
    RETURNING id
"""

_REPLACE = """
    UPDATE templates t
    SET name = %(name)s, date_order = %(date_order)s, decimal_separator = %(decimal_separator)s,
        version = t.version + 1, updated_at = clock_timestamp()
    FROM memberships m
    WHERE t.id = %(template_id)s AND m.channel_id = t.channel_id AND m.user_id = %(user_id)s
    RETURNING t.channel_id
"""
_DROP_LABELS = """
    DELETE FROM template_labels
    WHERE template_id = %(template_id)s
      AND lower(name) NOT IN (SELECT lower(l.name) FROM jsonb_to_recordset(%(labels)s) AS l (name text))
    RETURNING 1
"""
# Frees the positions of the labels that stay: they are unique at every step.
_FREE_POSITIONS = """
    UPDATE template_labels SET position = position + 1000000 WHERE template_id = %(template_id)s RETURNING 1
"""
# A label of the same name is the same label: what refers to it stays.
_PUT_LABELS = f"""
    WITH l AS (
        INSERT INTO template_labels (template_id, {", ".join(_COLUMNS)})
        SELECT %(template_id)s, l.* FROM jsonb_to_recordset(%(labels)s) AS l ({_LABEL})
        ON CONFLICT (template_id, lower(name)) DO UPDATE
        SET {", ".join(f"{column} = excluded.{column}" for column in _COLUMNS)}
        RETURNING *
    )
    UPDATE templates t
    SET labels_text = (SELECT {selectors.LABELS_TEXT} FROM l), labels_text_of = {selectors.LABELS_TEXT_OF}
    WHERE t.id = %(template_id)s RETURNING 1
"""

_SET_SOURCE = """
    UPDATE templates SET source_document_id = %(source_document_id)s::bigint, source_page = %(source_page)s::integer
    WHERE id = %(template_id)s RETURNING 1
"""
_CLEAR_ANCHORS = "DELETE FROM template_anchors WHERE template_id = %(template_id)s RETURNING 1"
_PUT_ANCHORS = """
    INSERT INTO template_anchors (template_id, page, width, height, words)
    SELECT %(template_id)s, a.*
    FROM jsonb_to_recordset(%(anchors)s) AS a (page integer, width float8, height float8, words jsonb) RETURNING 1
"""

_DELETE = """
    DELETE FROM templates t USING memberships m
    WHERE t.id = %(template_id)s AND m.channel_id = t.channel_id AND m.user_id = %(user_id)s
    RETURNING t.id
"""


KEEP: Final = "keep"
"""Keep the source of a template, and the words that are stored of it."""


class TemplateValues(TypedDict):
    """What a template consists of, beside its source. `labels` are rows of template_labels."""

    name: str
    date_order: str | None
    decimal_separator: str | None
    labels: list[dict[str, Any]]


def template_create(
    *, channel_id: int, user_id: int, values: TemplateValues, source: Source | None, keep: Keep
) -> Template:
    """Create a template with its labels. Raises ConflictError if the channel has one of that name."""
    anchors = _anchors(source, channel_id, user_id)
    parameters = {**values, **_columns(source), "channel_id": channel_id, "user_id": user_id}
    with _names_unique(values["name"]), transaction.atomic():
        created = statements.row(_INSERT, parameters)
        if created is not None:
            statements.row(_PUT_LABELS, {"template_id": created["id"], "labels": Jsonb(values["labels"])})
            _put_anchors(created["id"], anchors)
            template = selectors.template_get(template_id=created["id"], user_id=user_id, read=keep.row)
    if created is None:
        access.channel_require_member(channel_id=channel_id, user_id=user_id)
        raise NotAMemberError(channel_id)
    return template


def template_replace(
    *, template_id: int, user_id: int, values: TemplateValues, source: Source | Literal["keep"] | None
) -> Template:
    """Replace a template's name and labels. Raises ConflictError if the channel has one of that name."""
    ids = {"template_id": template_id, "user_id": user_id}
    anchors: list[Anchors] = []
    if isinstance(source, Source):
        template = selectors.template_get(template_id=template_id, user_id=user_id)
        anchors = _anchors(source, template["channel_id"], user_id)
    with _names_unique(values["name"]), transaction.atomic():
        # Locks the row: otherwise two concurrent replacements could mix their labels.
        if statements.row(_REPLACE, {**values, **ids}) is not None:
            labels = {"template_id": template_id, "labels": Jsonb(values["labels"])}
            for statement in (_DROP_LABELS, _FREE_POSITIONS, _PUT_LABELS):
                statements.row(statement, labels)
            if source != KEEP:
                statements.row(_SET_SOURCE, {**_columns(source), "template_id": template_id})
                statements.row(_CLEAR_ANCHORS, {"template_id": template_id})
                _put_anchors(template_id, anchors)
    return selectors.template_get(template_id=template_id, user_id=user_id)


def _columns(source: Source | None) -> dict[str, int | None]:
    return {
        "source_document_id": None if source is None else source.document_id,
        "source_page": None if source is None else source.page,
    }


def _anchors(source: Source | None, channel_id: int, user_id: int) -> list[Anchors]:
    return [] if source is None else anchors_of(source, channel_id=channel_id, user_id=user_id)


def _put_anchors(template_id: int, anchors: list[Anchors]) -> None:
    if anchors:
        parameters = {"template_id": template_id, "anchors": Jsonb(anchors)}
        statements.row(_PUT_ANCHORS, parameters, statements.TRANSFER_S)


def template_delete(*, template_id: int, user_id: int) -> None:
    """Delete a template with its labels. Jobs that used it stay. Any member of the channel may do so."""
    ids = {"template_id": template_id, "user_id": user_id}
    if statements.row(_DELETE, ids) is None:
        selectors.template_get(template_id=template_id, user_id=user_id)


@contextmanager
def _names_unique(name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "templates_name_key" not in str(error):
            raise
        raise ConflictError(
            Code.NAME_TAKEN, f"the channel has a template called {name!r} already: choose another name"
        ) from None
