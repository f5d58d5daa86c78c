"""Reading batch jobs. Each function is one statement that also checks the membership."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.choices import BatchStatus
from data_processor.database import statements
from data_processor.shapes import columns
from data_processor.web.pages import Page
from data_processor.web.repeats import row_of


class BatchJob(TypedDict):
    """A job: a template that is to be applied to documents of its channel."""

    id: int
    channel_id: int
    template_id: int | None
    status: BatchStatus
    total: int
    done: int
    failed: int
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


class BatchItem(TypedDict):
    """The outcome of one document of a job. When the document is deleted, its name and its outcome stay."""

    position: int
    document_id: int | None
    filename: str
    status: BatchStatus
    error: str | None


_COLUMNS = columns("b", BatchJob)

_IN_CHANNEL = access.newest_in_channel("batch_jobs", "b", _COLUMNS)

# The newest of each channel first, so that the cost grows with the channels of a user and not with the table.
_IN_CHANNELS = f"""
    SELECT b.* FROM memberships m CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM batch_jobs b
        {statements.newest("b", "channel_id", "m.channel_id")}
    ) b
    WHERE m.user_id = %(user_id)s ORDER BY b.id DESC LIMIT %(limit)s
"""

_ONE = access.one("batch_jobs", "b", _COLUMNS)

_ITEMS = f"""
    SELECT m.user_id AS member, b.channel_id AS of_channel, i.* FROM batch_jobs b
    LEFT JOIN memberships m ON m.channel_id = b.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN LATERAL (
        SELECT {columns("i", BatchItem)} FROM batch_items i
        WHERE i.batch_job_id = b.id AND i.position > %(after)s AND m.user_id IS NOT NULL
          AND (%(status)s::text IS NULL OR i.status = %(status)s)
        ORDER BY i.position LIMIT %(limit)s
    ) i ON true
    WHERE b.id = %(id)s ORDER BY i.position
"""


def batch_list(*, channel_id: int | None, user_id: int, page: Page) -> list[BatchJob]:
    """Return the page of a channel's jobs, or of all channels of the user."""
    if channel_id is not None:
        rows = access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    else:
        rows = statements.rows(_IN_CHANNELS, {"user_id": user_id, "before": page.before, "limit": page.probe})
    return cast(list[BatchJob], rows)


def batch_get(*, batch_id: int, user_id: int, read: access.Read = statements.row) -> BatchJob:
    """Return one job."""
    return cast(BatchJob, access.find(_ONE, Code.NO_SUCH_BATCH_JOB, object_id=batch_id, user_id=user_id, read=read))


def batch_again(answer: str) -> BatchJob:
    """Return a job as it was when a request with a key created it."""
    row = row_of(answer)
    return cast(BatchJob, access.found(row, Code.NO_SUCH_BATCH_JOB, row["id"]))


def batch_items(*, batch_id: int, user_id: int, after: int, limit: int, status: BatchStatus | None) -> list[BatchItem]:
    """Return up to `limit` items of a job in their order, those beyond position `after`, of one status or of all."""
    parameters = {"id": batch_id, "user_id": user_id, "after": after, "limit": limit, "status": status}
    rows = statements.rows(_ITEMS, parameters)
    access.found(dict(rows[0]) if rows else None, Code.NO_SUCH_BATCH_JOB, batch_id)
    items = [{key: value for key, value in row.items() if key not in ("member", "of_channel")} for row in rows]
    return cast(list[BatchItem], [item for item in items if item["position"] is not None])
