"""`python -m data_processor work`: keeps the worker processes running, and touches a heartbeat file."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import tempfile
import threading
import time
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

import psycopg
from servicekit import forking
from servicekit.lifeline import watched_workers
from servicekit.migrations import record_event

from data_processor import process
from data_processor.config import DataProcessorSettings
from data_processor.jobs import worker

logger = logging.getLogger(__name__)

_POLL_S = 0.2
_BEAT_S = 1.0
_RESPAWN_S = 1.0
_KILL_S = worker.STOP_S + 4


def work(settings: DataProcessorSettings) -> int:
    """Work until SIGTERM or SIGINT."""
    process.configure(forward=True, service=worker.SERVICE)
    forking.prepare(["data_processor.jobs.kinds"])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with watched_workers() as watch:
        team = [_Member() for _ in range(settings.workers)]
        watch()
        heart = _Heart(settings)
        while not stopping.wait(_POLL_S):
            for member in team:
                member.respawn_if_ended()
            heart.beat(is_ready=all(member.ready.is_set() for member in team))
        _stop(team)
    return 0


class _Member:
    """A worker process, and those that replace it after it has ended."""

    def __init__(self) -> None:
        self.ready: ProcessEvent = multiprocessing.Event()
        self.process = self._start()
        self._ended_at: float | None = None

    def _start(self) -> BaseProcess:
        started = multiprocessing.Process(target=worker.main, args=(self.ready,), name=worker.SERVICE)
        started.start()
        return started

    def respawn_if_ended(self) -> None:
        """Start the process again, a moment after it has ended."""
        if self.process.is_alive():
            return
        now = time.monotonic()
        if self._ended_at is None:
            self._ended_at = now
            fields = {"pid": self.process.pid, "exit_code": self.process.exitcode}
            logger.error("a worker process ended", extra={"fields": fields})
        elif now - self._ended_at > _RESPAWN_S:
            self._ended_at = None
            self.process = self._start()


class _Heart:
    """Touches the heartbeat file each second, beginning when all processes have taken up their work."""

    def __init__(self, settings: DataProcessorSettings) -> None:
        self._settings = settings
        self._file = Path(tempfile.gettempdir()) / f"{worker.SERVICE}.heartbeat"
        self._has_begun = False
        self._beaten_at = float("-inf")

    def beat(self, *, is_ready: bool) -> None:
        """Touch the file if it is time."""
        if not self._has_begun:
            if not is_ready:
                return
            self._has_begun = True
            threading.Thread(target=self._record_ready, name="ready", daemon=True).start()
        if time.monotonic() - self._beaten_at >= _BEAT_S:
            self._beaten_at = time.monotonic()
            try:
                self._file.touch()
            except OSError as error:
                logger.warning("the heartbeat file cannot be written: %s", error)

    def _record_ready(self) -> None:
        from data_processor.health import selectors

        try:
            with psycopg.connect(self._settings.conninfo(worker.SERVICE), autocommit=True) as connection:
                record_event(connection, self._settings.stack_id, worker.SERVICE, "ready", selectors.head())
        except psycopg.Error as error:
            logger.warning("the start could not be recorded: %s", error)


def _stop(team: list[_Member]) -> None:
    for member in team:
        member.process.terminate()
    deadline = time.monotonic() + _KILL_S
    for member in team:
        member.process.join(max(0.0, deadline - time.monotonic()))
        if member.process.is_alive():
            member.process.kill()
            member.process.join()
