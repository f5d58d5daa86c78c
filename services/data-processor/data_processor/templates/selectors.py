"""Reading templates with their labels. Each function is one statement that also checks the membership."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import cast

import orjson
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access, boxes
from data_processor.boxes import BoundingBox
from data_processor.choices import DateOrder, DecimalSeparator, ValueType
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.shapes import columns, json_object
from data_processor.web.pages import Page
from data_processor.web.repeats import row_of


class Label(TypedDict):
    """A label of a template; its box is relative to the page (0 to 1)."""

    id: int
    position: int
    name: str
    label_type: str
    colour: str
    page: int
    every_page: bool
    bounding_box: BoundingBox
    value_type: ValueType
    expected_format: str | None
    required: bool


class Template(TypedDict):
    """A template with its labels, in order.

    `anchored_pages` are its pages of which the words of a source document are stored, to find pages again that are
    shifted, scaled or turned. On others, labels are looked for at their position.
    """

    id: int
    channel_id: int
    name: str
    version: int
    source_document_id: int | None
    source_page: int | None
    anchored_pages: list[int]
    date_order: DateOrder | None
    decimal_separator: DecimalSeparator | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime
    labels: list[Label]


_BOX = json_object("l", BoundingBox, **{side: f"l.{column}" for side, column in boxes.COLUMNS.items()})
LABELS_TEXT = f"coalesce(json_agg({json_object('l', Label, bounding_box=_BOX)} ORDER BY l.position), '[]')::text"
"""The labels `l` of one template as they are answered."""
LABELS_TEXT_OF = f"t.version || ' {hashlib.sha256(LABELS_TEXT.encode()).hexdigest()[:12]}'"
"""What that text is of: the version of a template `t`, which every change of its labels raises, and the text's form."""
# Writing the text takes ten times as long as reading it. It is stored with the labels. A release that does not store
# it leaves that of an earlier version, and another form of the text is not used.
_LABELS = f"""
    CASE WHEN t.labels_text_of = {LABELS_TEXT_OF} THEN t.labels_text
         ELSE (SELECT {LABELS_TEXT} FROM template_labels l WHERE l.template_id = t.id) END
"""
_ANCHORED = "ARRAY(SELECT w.page FROM template_anchors w WHERE w.template_id = t.id ORDER BY w.page)"
COLUMNS = columns("t", Template, labels=_LABELS, anchored_pages=_ANCHORED)

_IN_CHANNEL = access.newest_in_channel("templates", "t", COLUMNS)

# The newest of each channel first, so that the cost grows with the channels of a user and not with the table.
_IN_CHANNELS = f"""
    SELECT {COLUMNS} FROM (
        SELECT t.* FROM memberships m CROSS JOIN LATERAL (
            SELECT t.* FROM templates t
            {statements.newest("t", "channel_id", "m.channel_id")}
        ) t
        WHERE m.user_id = %(user_id)s ORDER BY t.id DESC LIMIT %(limit)s
    ) t ORDER BY t.id DESC
"""

_ONE = access.one("templates", "t", COLUMNS)


def template_list(*, channel_id: int | None, user_id: int, page: Page) -> list[Template]:
    """Return the page of a channel's templates, or of all channels of the user."""
    if channel_id is not None:
        rows = access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    else:
        rows = statements.rows(_IN_CHANNELS, {"user_id": user_id, "before": page.before, "limit": page.probe})
    return [_template(row) for row in rows]


def template_get(*, template_id: int, user_id: int, read: access.Read = statements.row) -> Template:
    """Return one template."""
    return _template(access.find(_ONE, Code.NO_SUCH_TEMPLATE, object_id=template_id, user_id=user_id, read=read))


def template_again(answer: str) -> Template:
    """Return a template as it was when a request with a key created it."""
    row = row_of(answer)
    return _template(access.found(row, Code.NO_SUCH_TEMPLATE, row["id"]))


def _template(row: Row) -> Template:
    # Postgres returns the labels as JSON.
    row["labels"] = orjson.Fragment(row["labels"])
    return cast(Template, row)
