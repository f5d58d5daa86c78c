"""A worker with two processes, as a test starts and stops it."""
# ruff: noqa: S101  # these assertions are part of tests

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from data_processor_testkit.service import Service
from data_processor_testkit.worker import released
from plumbline.verification.throwaway import wait_until

DEFER = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('tests', %s, 0, NULL, NULL, jsonb_build_object('name', %s::text), NULL)::procrastinate_job_to_defer_v1
    ])
"""


class Worker:
    """A worker with two processes, and what its jobs have noted."""

    def __init__(self, queue: Service, folder: Path, module: str = "data_processor") -> None:
        self._queue = queue
        self._module = module
        self.folder = folder
        self.log = folder / "worker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait for its heartbeat."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module, "work"],
                env=self._queue.environment | {"TMPDIR": str(self.folder), "PLUMBLINE_WORKERS": "2"},
                cwd="/", stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until((self.folder / "worker.heartbeat").exists, f"the worker beats; its log: {self.log}", 60)

    def stop(self) -> int:
        """Stop it with SIGTERM and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill all of it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)

    @property
    def pid(self) -> int:
        """Its main process."""
        assert self.process is not None
        return self.process.pid

    def defer(self, task: str, name: str) -> int:
        """Defer a job; return its id."""
        (((job,),),) = self._queue.rows(DEFER, task, name)
        return int(job)

    def notes(self, name: str) -> list[str]:
        """Return what the jobs of this name have noted."""
        rows = self._queue.rows("SELECT note FROM job_notes WHERE name = %s ORDER BY id", name)
        return [note for (note,) in rows]

    def holder(self, name: str, nth: int = 0) -> int:
        """Wait until a job of this name begins for the nth time after the first; return the process."""
        begun = "SELECT pid FROM job_notes WHERE name = %s AND note = 'begun' ORDER BY id"
        wait_until(lambda: len(self._queue.rows(begun, name)) > nth, f"{name} begins, for time {nth + 1}", 60)
        return int(self._queue.rows(begun, name)[nth][0])

    def release(self, pid: int) -> None:
        """End the job that a process holds."""
        released(self.folder, pid).touch()

    def left(self) -> list[tuple[object, ...]]:
        """Return the jobs in the queue."""
        return self._queue.rows("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id")

    def wait_noted(self, name: str, *notes: str) -> None:
        """Wait until these are the notes of a name, and the queue is empty."""
        wait_until(
            lambda: self.notes(name) == [*notes] and not self.left(),
            f"{name} notes {notes}; noted {self.notes(name)}, left {self.left()}, log {self.log}", 60,
        )  # fmt: skip
