"""Returns the jobs of dead or silent workers to the queue, from every worker's own loop.

A sweep that is a job itself, as Procrastinate suggests, would wait behind the jobs that it is to save.
"""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from procrastinate.connector import BaseConnector

from data_processor.jobs import retries
from data_processor.jobs.tasks import KINDS

logger = logging.getLogger(__name__)

# A job of which another sweep holds the lock is being returned already. Waiting workers are woken up.
_RETURN = """
    WITH stalled AS MATERIALIZED (
        SELECT j.id, j.task_name, j.args, j.attempts FROM procrastinate_jobs j
        WHERE j.status = 'doing' AND j.attempts + 1 < %(tries_max)s AND NOT EXISTS (
            SELECT FROM procrastinate_workers w
            WHERE w.id = j.worker_id AND w.last_heartbeat > now() - make_interval(secs => %(stall_s)s)
        )
        FOR UPDATE OF j SKIP LOCKED
    ), returned AS MATERIALIZED (
        SELECT s.*, procrastinate_retry_job_v2(s.id, NULL, NULL, NULL, NULL)::text AS done FROM stalled s
    )
    SELECT task_name, args, attempts,
           pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text)::text
    FROM returned
"""
_HOPELESS = """
    SELECT j.id, j.task_name, j.args FROM procrastinate_jobs j
    WHERE j.status = 'doing' AND j.attempts + 1 >= %(tries_max)s AND NOT EXISTS (
        SELECT FROM procrastinate_workers w
        WHERE w.id = j.worker_id AND w.last_heartbeat > now() - make_interval(secs => %(stall_s)s)
    )
"""
_DELETE = "DELETE FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing'"
_REASON = f"the worker ended or hung {retries.TRIES_MAX} times while it worked on it"


async def sweep(connector: BaseConnector, stall_s: float) -> None:
    """Return the jobs of workers that have been silent for `stall_s`; record those that were tried too often."""
    parameters: dict[str, Any] = {"tries_max": retries.TRIES_MAX, "stall_s": stall_s}
    for job in await connector.execute_query_all_async(_RETURN, **parameters):
        fields = {"task": job["task_name"], "tries": job["attempts"] + 1, **job["args"]}
        logger.warning("a worker ended or hung: its job is tried again", extra={"fields": fields})
    for job in await connector.execute_query_all_async(_HOPELESS, **parameters):
        logger.error("a job is given up: %s", _REASON, extra={"fields": {"task": job["task_name"], **job["args"]}})
        await sync_to_async(_give_up, thread_sensitive=False)(job["task_name"], job["args"])
        await connector.execute_query_async(_DELETE, job_id=job["id"])


def _give_up(task: str, arguments: dict[str, object]) -> None:
    try:
        KINDS.give_up(task, _REASON, arguments)
    finally:
        close_old_connections()
