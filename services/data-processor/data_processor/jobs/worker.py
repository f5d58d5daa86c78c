"""One worker process: takes jobs from the queue, one at a time, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from multiprocessing.synchronize import Event as ProcessEvent

import procrastinate
import psycopg
from procrastinate.contrib.django.db_cleanup import close_db_connections
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition
from psycopg_pool import AsyncConnectionPool
from servicekit import lifeline, planner
from servicekit.database_password import async_connection_class
from servicekit.log.outage import Outage

from data_processor import config, process
from data_processor.config import DataProcessorSettings
from data_processor.jobs.fenced import FencedJobs
from data_processor.jobs.sweep import sweep
from data_processor.jobs.tasks import KINDS

logger = logging.getLogger(__name__)

SERVICE = "worker"
STOP_S = 8.0
"""How long a stop waits for the running job before it gives the job back."""
_EVERY_S = 1.0
"""Time between looks for new jobs, in case a notification was lost, and between sweeps."""
_BEATS_PER_STALL = 4
_CONNECTIONS = 1
"""Beside these, a worker process has one connection for notifications and one for its job."""
_POOL_WAIT_S = 3.0
_REMEMBERED_S = 600.0


def main(ready: ProcessEvent) -> None:
    """Work until SIGTERM. Sets `ready` once this process has taken up its work."""
    lifeline.end_with_parent()
    process.configure(forward=True, service=SERVICE)
    # Everything that Procrastinate reports is reported here, once.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    # Models can be imported only now.
    import_module("data_processor.jobs.kinds")
    try:
        asyncio.run(_Worker(config.current(), ready.set).run())
    except Exception:
        logger.exception("a worker process failed")
        raise


class _Worker:
    def __init__(self, settings: DataProcessorSettings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        self._outage = Outage(logger, "Postgres", level=logging.ERROR)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        beating = asyncio.create_task(lifeline.beat_from_loop())
        while not self._stopping.is_set():
            try:
                await self._work()
            except (ConnectorException, psycopg.Error, OSError) as error:
                self._outage.failed(error.__cause__ or error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _EVERY_S)
        beating.cancel()

    async def _work(self) -> None:
        """Work until told to stop, or until the database is away."""
        async with self._queue() as (app, jobs):
            working = asyncio.create_task(self._carry_out(app))
            sweeping = asyncio.create_task(self._sweep(app, jobs))
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({working, sweeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
                working.cancel()
                done, _ = await asyncio.wait({working}, timeout=STOP_S if self._stopping.is_set() else None)
                if not done:
                    await self._give_back(jobs)
                if not working.cancelled():
                    working.result()
            finally:
                for task in (sweeping, stopping):
                    task.cancel()
                await asyncio.gather(sweeping, stopping, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _queue(self) -> AsyncIterator[tuple[procrastinate.App, FencedJobs]]:
        connector = procrastinate.PsycopgConnector()
        app = procrastinate.App(connector=connector)
        app.job_manager = jobs = FencedJobs(connector)
        app.add_tasks_from(KINDS.blueprint, namespace="")
        pool = AsyncConnectionPool(
            self._settings.conninfo(SERVICE), min_size=1, max_size=_CONNECTIONS, timeout=_POOL_WAIT_S, open=False,
            kwargs={"options": planner.OPTIONS},
            check=AsyncConnectionPool.check_connection,
            connection_class=async_connection_class(self._settings.postgres_password_file),
        )  # fmt: skip
        try:
            await pool.open(wait=True, timeout=_POOL_WAIT_S)
            await connector.open_async(pool)
            yield app, jobs
        finally:
            await pool.close()

    async def _carry_out(self, app: procrastinate.App) -> None:
        await app.run_worker_async(
            name=SERVICE,
            concurrency=1,
            fetch_job_polling_interval=_EVERY_S,
            update_heartbeat_interval=self._settings.job_stall_s / _BEATS_PER_STALL,
            # A worker that continues within this time goes on under its registration.
            stalled_worker_timeout=_REMEMBERED_S,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            install_signal_handlers=False,
            task_middleware=[close_db_connections],
        )

    async def _sweep(self, app: procrastinate.App, jobs: FencedJobs) -> None:
        while True:
            try:
                await sweep(app.connector, self._settings.job_stall_s)
            except (ConnectorException, psycopg.Error) as error:
                self._outage.failed(error.__cause__ or error)
            except Exception:
                # Whatever it is, the other jobs still need the sweep.
                logger.exception("the sweep of jobs failed")
            else:
                self._outage.worked()
                if jobs.worker_id is not None:
                    self._ready()
            await asyncio.sleep(_EVERY_S)

    async def _give_back(self, jobs: FencedJobs) -> None:
        """Leave the running job to other workers, and end: whatever its thread still writes is refused."""
        if jobs.worker_id is not None:
            with contextlib.suppress(ConnectorException):
                await asyncio.wait_for(jobs.unregister_worker(jobs.worker_id), _POOL_WAIT_S)
        logger.info("stopped before its job was done, which another worker does")
        logging.shutdown()
        os._exit(0)
