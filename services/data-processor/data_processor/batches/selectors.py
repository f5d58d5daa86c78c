"""Reading batch jobs. Each function is one statement that also checks the membership."""

from __future__ import annotations

from typing import Any

import orjson
from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.pages import Page

COLUMNS = "b.id, b.channel_id, b.template_id, b.status, b.total, b.done, b.failed, b.created_by, b.created_at"
_ITEMS = """
    (SELECT coalesce(json_agg(json_build_object(
        'document_id', i.document_id, 'filename', i.filename, 'status', i.status, 'error', i.error
    ) ORDER BY i.position), '[]')::text FROM batch_items i WHERE i.batch_job_id = b.id)
"""

_IN_CHANNEL = access.newest_in_channel("batch_jobs", "b", COLUMNS)

# The newest of each channel first, so that the cost grows with the channels of a user and not with the table.
_IN_CHANNELS = f"""
    SELECT b.* FROM memberships m CROSS JOIN LATERAL (
        SELECT {COLUMNS} FROM batch_jobs b
        {statements.newest("b", "channel_id", "m.channel_id")}
    ) b
    WHERE m.user_id = %(user_id)s ORDER BY b.id DESC LIMIT %(limit)s
"""

_ONE = f"""
    SELECT m.user_id, b.channel_id, {COLUMNS}, {_ITEMS} FROM batch_jobs b
    LEFT JOIN memberships m ON m.channel_id = b.channel_id AND m.user_id = %(user_id)s
    WHERE b.id = %(batch_id)s
"""


def batch_list(*, channel_id: int | None, user_id: int, page: Page) -> list[Row]:
    """Return the page of a channel's jobs, or of all channels of the user, in the order of `COLUMNS`."""
    if channel_id is not None:
        return access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    return statements.rows(_IN_CHANNELS, {"user_id": user_id, "before": page.before, "limit": page.probe})


def batch_get(*, batch_id: int, user_id: int) -> Row:
    """Return one job, in the order of `COLUMNS`, then its items as JSON."""
    row = statements.row(_ONE, {"batch_id": batch_id, "user_id": user_id})
    return access.found(row, Code.NO_SUCH_BATCH_JOB, batch_id)


def batch_shape(row: Row) -> dict[str, Any]:
    """Return a row as clients see it; its items too, if they were read."""
    shape = {
        "id": row[0],
        "channel_id": row[1],
        "template_id": row[2],
        "status": row[3],
        "total": row[4],
        "done": row[5],
        "failed": row[6],
        "created_by": row[7],
        "created_at": row[8],
    }
    if len(row) > 9:
        # Postgres has written the items as JSON already.
        shape["items"] = orjson.Fragment(row[9])
    return shape
