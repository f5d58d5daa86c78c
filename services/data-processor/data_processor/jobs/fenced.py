"""The queue as one worker process uses it: what a worker says of a job counts only while the job is its own.

A worker that was stopped or cut off does not know that its job was given to another. Procrastinate lets it end that
job nevertheless.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from data_processor.jobs.tasks import KINDS

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

_AGAIN_S = 1.0

# The row is locked first, so that its worker cannot change between the check and the end of the job.
_OWN = """
    (SELECT id FROM procrastinate_jobs
     WHERE id = %(job_id)s AND status = 'doing' AND worker_id = %(worker_id)s FOR UPDATE)
"""
_FINISH = f"""
    WITH own AS MATERIALIZED {_OWN}
    SELECT procrastinate_finish_job_v1(id, %(status)s::procrastinate_job_status, %(delete_job)s) FROM own
"""
_RETRY = f"""
    WITH own AS MATERIALIZED {_OWN}
    SELECT procrastinate_retry_job_v2(
        id, %(retry_at)s::timestamptz, %(new_priority)s::integer, %(new_queue_name)s, %(new_lock)s
    ) FROM own
"""
_UNKNOWN_AGAIN = """
    UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = now() + interval '30 s'
    WHERE id = %(job_id)s AND status = 'doing' AND worker_id = %(worker_id)s RETURNING id
"""


class FencedJobs(JobManager):
    """Procrastinate's access to the queue, which ends only jobs that this worker still has."""

    worker_id: int | None = None
    """The registration of this worker, once it has one."""

    async def register_worker(self) -> int:
        """Register this process as a worker."""
        self.worker_id = await super().register_worker()
        return self.worker_id

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job."""
        if status is Status.FAILED and job.task_name not in KINDS:
            # A newer release has deferred it: leave it to a worker of that release.
            logger.warning(
                "a job is of a kind that this release does not know", extra={"fields": {"task": job.task_name}}
            )
            await self._change(_UNKNOWN_AGAIN, job)
            return
        await self._change(_FINISH, job, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put a job back, to be tried again."""
        await self._change(_RETRY, job, retry_at=retry_at, new_priority=priority, new_queue_name=queue, new_lock=lock)

    async def _change(self, statement: str, job: Job, **parameters: object) -> None:
        changed = await self._until_answered(statement, job_id=job.id, worker_id=job.worker_id, **parameters)
        if not changed:
            logger.warning("a job had been given to another worker", extra={"fields": {"job": job.call_string}})

    async def _until_answered(self, statement: str, **parameters: object) -> list[dict[str, object]]:
        # Without an answer the job would stay with this worker, which is alive, so that no other would take it.
        while True:
            try:
                return await self.connector.execute_query_all_async(statement, **parameters)
            except ConnectorException as error:
                logger.debug("the end of a job could not be stored", exc_info=error)
                await asyncio.sleep(_AGAIN_S)
