"""Reading templates with their labels. Each function is one statement that also checks the membership."""

from __future__ import annotations

from typing import Any

import orjson
from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.pages import Page

LABELS = """
    (SELECT coalesce(json_agg(json_build_object(
        'id', l.id, 'position', l.position, 'name', l.name, 'label_type', l.label_type, 'colour', l.colour,
        'page', l.page, 'bounding_box', json_build_object(
            'x', l.box_x, 'y', l.box_y, 'width', l.box_width, 'height', l.box_height),
        'expected_format', l.expected_format, 'required', l.required
    ) ORDER BY l.position), '[]')::text FROM template_labels l WHERE l.template_id = t.id)
"""
COLUMNS = f"t.id, t.channel_id, t.name, t.created_by, t.created_at, t.updated_at, {LABELS} AS labels"

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

_ONE = f"""
    SELECT m.user_id, t.channel_id, {COLUMNS} FROM templates t
    LEFT JOIN memberships m ON m.channel_id = t.channel_id AND m.user_id = %(user_id)s
    WHERE t.id = %(template_id)s
"""


def template_list(*, channel_id: int | None, user_id: int, page: Page) -> list[Row]:
    """Return the page of a channel's templates, or of all channels of the user, in the order of `COLUMNS`."""
    if channel_id is not None:
        return access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    return statements.rows(_IN_CHANNELS, {"user_id": user_id, "before": page.before, "limit": page.probe})


def template_get(*, template_id: int, user_id: int) -> Row:
    """Return one template, in the order of `COLUMNS`."""
    row = statements.row(_ONE, {"template_id": template_id, "user_id": user_id})
    return access.found(row, Code.NO_SUCH_TEMPLATE, template_id)


def template_shape(row: Row) -> dict[str, Any]:
    """Return a row of `COLUMNS` as clients see it."""
    return {
        "id": row[0],
        "channel_id": row[1],
        "name": row[2],
        "created_by": row[3],
        "created_at": row[4],
        "updated_at": row[5],
        # Postgres has written the labels as JSON already.
        "labels": orjson.Fragment(row[6]),
    }
