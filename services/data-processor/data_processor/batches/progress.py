"""The progress of a job: counted a few times a second at most, and always at its end."""

from __future__ import annotations

from django.db import transaction

from data_processor import events
from data_processor.database import statements

_PAUSE_S = 0.5

# Counting in the statement that locks would count what was there before the lock. The last of several workers must see
# the outcomes of all others.
_LOCK = """
    SELECT b.id FROM batch_jobs b
    WHERE b.id = %(batch_id)s AND b.finished_at IS NULL AND (
        %(at_once)s
        OR b.counted_at IS NULL
        OR b.counted_at < clock_timestamp() - make_interval(secs => %(pause_s)s)
        OR NOT EXISTS (
            SELECT FROM batch_items i WHERE i.batch_job_id = b.id AND i.status IN ('pending', 'running')
        )
    )
    FOR NO KEY UPDATE
"""
_COUNT = """
    UPDATE batch_jobs b SET
        done = i.done, failed = i.failed, counted_at = clock_timestamp(),
        finished_at = CASE WHEN i.open = 0 THEN clock_timestamp() END,
        status = CASE
            WHEN b.status = 'cancelled' THEN 'cancelled'
            WHEN i.begun = 0 THEN 'pending'
            WHEN i.open > 0 THEN 'running'
            WHEN i.done = 0 THEN 'failed'
            ELSE 'done'
        END
    FROM (
        SELECT count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = 'failed') AS failed,
               count(*) FILTER (WHERE status IN ('pending', 'running')) AS open,
               count(*) FILTER (WHERE status <> 'pending') AS begun
        FROM batch_items WHERE batch_job_id = %(batch_id)s
    ) i
    WHERE b.id = %(batch_id)s
    RETURNING b.id AS job_id, b.channel_id, b.status, b.total, b.done, b.failed
"""


def count(batch_id: int, *, at_once: bool = False) -> None:
    """Count what a job has done, unless that was done just now, and tell its channel."""
    parameters = {"batch_id": batch_id, "at_once": at_once, "pause_s": _PAUSE_S}
    with transaction.atomic():
        if statements.row(_LOCK, parameters) is None:
            return
        counted = statements.row(_COUNT, parameters)
        if counted is not None:
            events.tell(counted["channel_id"], {"type": "batch_progress", **counted})
