"""Put jobs into the queue, in the transaction of the caller."""

from __future__ import annotations

from functools import cache
from typing import Any

import procrastinate
from django.db import connection
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import Job

from data_processor.database import statements

READING = "read_document"
ITEM = "apply_item"

_READING_PRIORITY = 100
"""Items of batches have the negative of their position. So a large batch does not delay the first hundred documents
that wait in a channel, and more documents than that do not delay a small batch."""
_COUNTED_MAX = 1000

# Each further document of a channel comes later, so that the first one of a quiet channel need not wait for them.
# A range in the order of the index, not an equality (see statements.newest).
_READING_PLACE = """
    SELECT queue, count(j.args) AS waiting,
           coalesce(bool_or((j.args->>'document_id')::bigint = %(document_id)s), false) AS is_there
    FROM (SELECT 'channel ' || channel_id AS queue FROM documents WHERE id = %(document_id)s) d
    LEFT JOIN LATERAL (
        SELECT args FROM procrastinate_jobs
        WHERE (queue_name, id) < (d.queue, 9223372036854775807) AND queue_name >= d.queue AND status = 'todo'
        ORDER BY queue_name DESC, id DESC LIMIT %(most)s
    ) j ON true
    GROUP BY queue
"""
_READ_ALL_AGAIN = """
    UPDATE procrastinate_jobs SET args = args || '{"again": true}'
    WHERE queue_name = %(queue)s AND status = 'todo' AND (args->>'document_id')::bigint = %(document_id)s RETURNING id
"""


def defer_reading(document_id: int, *, again: bool = False) -> None:
    """Have a document's pages read. Does nothing if the document does not exist, or if a job for it waits already."""
    place = statements.row(_READING_PLACE, {"document_id": document_id, "most": _COUNTED_MAX})
    if place is None:
        return
    queue = place["queue"]
    # The job that waits may have been taken meanwhile: then another is deferred.
    if place["is_there"] and (
        not again or statements.rows(_READ_ALL_AGAIN, {"queue": queue, "document_id": document_id})
    ):
        return
    arguments = {"document_id": document_id, "again": again}
    _defer([_job(READING, queue, _READING_PRIORITY - place["waiting"], arguments)])


def batch_queue(batch_id: int) -> str:
    """Return the name of the queue that holds the jobs of a batch."""
    return f"batch {batch_id}"


def defer_items(batch_id: int, items: list[tuple[int, int]], *, user_id: int) -> None:
    """Have items of a batch, given as id and position, carried out for a user.

    Later items have a lower priority, so that batches take turns and a small one need not wait for a large one.
    """
    queue = batch_queue(batch_id)
    _defer([_job(ITEM, queue, -position, {"item_id": item, "user_id": user_id}) for item, position in items])


@cache
def _queue() -> procrastinate.App:
    return procrastinate.App(connector=DjangoConnector())


def _job(task: str, queue: str, priority: int, arguments: dict[str, Any]) -> Job:
    return Job(
        queue=queue, task_name=task, task_kwargs=arguments, priority=priority, lock=None, queueing_lock=None
    )  # fmt: skip


def _defer(jobs: list[Job]) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("defer jobs in the transaction that stores what they are about")
    with statements.limit(statements.TRANSFER_S):
        _queue().job_manager.batch_defer_jobs(jobs)
