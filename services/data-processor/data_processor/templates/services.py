"""Changing templates. A template and its labels are written atomically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from psycopg.types.json import Jsonb
from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.templates import selectors
from data_processor.templates.selectors import Template
from data_processor.web.errors import ConflictError, NotAMemberError

_LABEL = (
    "position integer, name text, label_type text, colour text, page integer, box_x float8, box_y float8, "
    "box_width float8, box_height float8, expected_format text, required boolean"
)
_LABEL_COLUMNS = ", ".join(column.split()[0] for column in _LABEL.split(", "))

_INSERT = f"""
    WITH t AS (
        INSERT INTO templates (channel_id, name, created_by)
        SELECT m.channel_id, %(name)s, m.user_id FROM memberships m
        WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s
        RETURNING id
    ), labels AS (
        INSERT INTO template_labels (template_id, {_LABEL_COLUMNS})
        SELECT t.id, l.* FROM t, jsonb_to_recordset(%(labels)s) AS l ({_LABEL})
    )
    SELECT id FROM t
"""

_RENAME = """
    UPDATE templates t SET name = %(name)s, updated_at = clock_timestamp() FROM memberships m
    WHERE t.id = %(template_id)s AND m.channel_id = t.channel_id AND m.user_id = %(user_id)s
    RETURNING t.id
"""
_CLEAR_LABELS = "DELETE FROM template_labels WHERE template_id = %(template_id)s RETURNING 1"
_INSERT_LABELS = f"""
    INSERT INTO template_labels (template_id, {_LABEL_COLUMNS})
    SELECT %(template_id)s, l.* FROM jsonb_to_recordset(%(labels)s) AS l ({_LABEL}) RETURNING 1
"""

_DELETE = """
    DELETE FROM templates t USING memberships m
    WHERE t.id = %(template_id)s AND m.channel_id = t.channel_id AND m.user_id = %(user_id)s
    RETURNING t.id
"""


def template_create(*, channel_id: int, user_id: int, name: str, labels: list[dict[str, Any]]) -> Template:
    """Create a template with its labels. Raises ConflictError if the channel has one of that name."""
    with _names_unique(name):
        created = statements.row(
            _INSERT, {"channel_id": channel_id, "user_id": user_id, "name": name, "labels": Jsonb(labels)}
        )
    if created is None:
        access.channel_require_member(channel_id=channel_id, user_id=user_id)
        raise NotAMemberError(channel_id)
    return selectors.template_get(template_id=created["id"], user_id=user_id)


def template_replace(*, template_id: int, user_id: int, name: str, labels: list[dict[str, Any]]) -> Template:
    """Replace a template's name and labels. Raises ConflictError if the channel has one of that name."""
    ids = {"template_id": template_id, "user_id": user_id}
    with _names_unique(name), transaction.atomic():
        # Locks the row: otherwise two concurrent replacements could mix their labels.
        if statements.row(_RENAME, ids | {"name": name}) is not None:
            statements.row(_CLEAR_LABELS, ids)
            statements.row(_INSERT_LABELS, {"template_id": template_id, "labels": Jsonb(labels)})
    return selectors.template_get(**ids)


def template_delete(*, template_id: int, user_id: int) -> None:
    """Delete a template with its labels. Jobs that used it stay. Any member of the channel may do so."""
    ids = {"template_id": template_id, "user_id": user_id}
    if statements.row(_DELETE, ids) is None:
        selectors.template_get(**ids)


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
