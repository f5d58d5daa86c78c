"""Reading batch jobs. Each function is one statement that also checks the membership."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import orjson
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access
from data_processor.choices import BatchStatus
from data_processor.database import statements
from data_processor.shapes import columns, json_object
from data_processor.web.pages import Page


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


class BatchItem(TypedDict):
    """The outcome of one document of a job."""

    document_id: int | None
    filename: str
    status: BatchStatus
    error: str | None


class BatchJobWithItems(BatchJob):
    """A job with the outcome of each document, in their order."""

    items: list[BatchItem]


_COLUMNS = columns("b", BatchJob)
_ITEMS = f"""
    (SELECT coalesce(json_agg({json_object("i", BatchItem)} ORDER BY i.position), '[]')::text
     FROM batch_items i WHERE i.batch_job_id = b.id)
"""

_IN_CHANNEL = access.newest_in_channel("batch_jobs", "b", _COLUMNS)

# The newest of each channel first, so that the cost grows with the channels of a user and not with the table.
_IN_CHANNELS = f"""
    SELECT b.* FROM memberships m CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM batch_jobs b
        {statements.newest("b", "channel_id", "m.channel_id")}
    ) b
    WHERE m.user_id = %(user_id)s ORDER BY b.id DESC LIMIT %(limit)s
"""

_ONE = access.one("batch_jobs", "b", columns("b", BatchJobWithItems, items=_ITEMS))


def batch_list(*, channel_id: int | None, user_id: int, page: Page) -> list[BatchJob]:
    """Return the page of a channel's jobs, or of all channels of the user."""
    if channel_id is not None:
        rows = access.page_of_channel(_IN_CHANNEL, channel_id=channel_id, user_id=user_id, page=page)
    else:
        rows = statements.rows(_IN_CHANNELS, {"user_id": user_id, "before": page.before, "limit": page.probe})
    return cast(list[BatchJob], rows)


def batch_get(*, batch_id: int, user_id: int) -> BatchJobWithItems:
    """Return one job with its items."""
    row = access.find(_ONE, Code.NO_SUCH_BATCH_JOB, object_id=batch_id, user_id=user_id)
    # Postgres returns the items as JSON.
    row["items"] = orjson.Fragment(row["items"])
    return cast(BatchJobWithItems, row)
