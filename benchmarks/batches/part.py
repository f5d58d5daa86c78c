"""A batch job with one worker process and with two, in turns, beside the same statements in bare psycopg."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import dataset
from benchmarks.report import Column, Report
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack
from plumbline.errors import PlumblineError
from plumbline.targets.embedded.programs import service_command
from plumbline.verification.checks import samples
from plumbline.verification.throwaway import through_caddy, wait_until

DOCUMENTS = 200
WANTED = 1.7
_ROUNDS = 3
_PATIENCE_S = 600.0
_COLUMNS = (Column("worker processes", -20), Column("items/s", 9), Column("ratio", 7))
_LABELS = [
    {
        "name": name, "label_type": "field", "colour": "#112233", "page": 1, "required": False,
        "bounding_box": {"x": x, "y": 0.0, "width": 0.5, "height": 0.5}, "expected_format": None,
    }
    for name, x in (("first", 0.0), ("second", 0.5))
]  # fmt: skip
_EXPLANATION = f"""\
One job applies a template with two labels to {DOCUMENTS} documents of one page whose text is stored, from its creation
to its end by the clock of the database. Two processes should do at least {WANTED} times the work of one, on two free
cores. bare: the statements that take an item, write two annotations and end the item, each item in one transaction,
over one connection.
"""
_SPEED = """
    SELECT total / extract(epoch FROM finished_at - created_at) FROM batch_jobs
    WHERE id = %s AND finished_at IS NOT NULL
"""
_FAILED = "SELECT error FROM batch_items WHERE batch_job_id = %s AND status <> 'done'"
_CLAIM = "UPDATE batch_items SET status = 'running', attempt = attempt + 1 WHERE id = %s RETURNING document_id, attempt"
_ANNOTATE = """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                             text)
    SELECT %s, 1, 10, 20, 30, 40, 'field', 'bare', '#112233', 'a value' FROM generate_series(1, 2)
"""
_END = "UPDATE batch_items SET status = 'done' WHERE id = %s AND attempt = %s AND status = 'running'"


def run(report: Report) -> None:
    """Measure one process and two in turns. Raises PlumblineError if a document fails."""
    with bench_stack() as stack:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        job = _Job(stack)
        speeds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(_ROUNDS):
            for processes, found in speeds.items():
                with _worker(stack, processes):
                    found.append(job.run())
        bare = job.run_bare()
    table = report.table(f"items of a batch job of {DOCUMENTS} documents", _COLUMNS)
    one, two = (statistics.median(found) for found in speeds.values())
    for words, speed, ratio in (("1", one, 1.0), ("2", two, two / one), ("bare, 1 connection", bare, bare / one)):
        row = {"worker processes": words, "items/s": f"{speed:,.1f}", "ratio": f"{ratio:.2f}"}
        table.row(row, processes=words, items_per_s=speed, ratio=ratio)
    report.say(_EXPLANATION)


class _Job:
    """Documents and a template of one channel, to which a job is run again and again."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._url = f"http://127.0.0.1:{stack.layout.ports['data-processor']}/data-processor/"
        world = dataset.fill(stack, 1, 1)
        self._headers = {"Authorization": f"Bearer {world.token}"}
        self._channel = world.channel_id
        self._documents = [self._upload(number) for number in range(DOCUMENTS)]
        body = {"channel_id": self._channel, "name": "measured", "labels": _LABELS}
        self._template = self._call("POST", "templates/", json=body)["id"]

    def run(self) -> float:
        """Run a job, and another that is measured; return its documents in a second."""
        self._speed(self._start())  # reads what was not yet read, and warms up
        return self._speed(self._start())

    def run_bare(self) -> float:
        """Do what the items of a job do, in bare psycopg; return the documents in a second."""
        with self._stack.connect() as database:
            job = self._start()
            items = [row[0] for row in database.execute("SELECT id FROM batch_items WHERE batch_job_id = %s", (job,))]
            begun = time.monotonic()
            for item in items:
                with database.transaction():
                    document, attempt = database.execute(_CLAIM, (item,)).fetchone() or (0, 0)
                    database.execute(_ANNOTATE, (document,))
                    database.execute(_END, (item, attempt))
            return len(items) / (time.monotonic() - begun)

    def _start(self) -> int:
        body = {"channel_id": self._channel, "template_id": self._template, "document_ids": self._documents}
        return int(self._call("POST", "batch/", json=body)["id"])

    def _speed(self, job: int) -> float:
        with self._stack.connect() as database:
            wait_until(lambda: _speed_of(database, job) is not None, f"job {job} ends", _PATIENCE_S)
            if (row := database.execute(_FAILED, (job,)).fetchone()) is not None:
                raise PlumblineError(f"a document of job {job} failed: {row[0]}\n{self._stack.last_lines('worker')}")
            return _speed_of(database, job) or 0.0

    def _upload(self, number: int) -> int:
        file = (f"{number}.pdf", samples.pdf(f"Invoice {number} of the benchmark"), "application/pdf")
        data = {"channel_id": str(self._channel)}
        return int(self._call("POST", "documents/", files={"file": file}, data=data)["id"])

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = through_caddy(method, self._url + path, headers=self._headers, timeout=60, **arguments)
        answer.raise_for_status()
        return answer.json()


def _speed_of(database: psycopg.Connection[tuple[object, ...]], job: int) -> float | None:
    row = database.execute(_SPEED, (job,)).fetchone()
    return float(str(row[0])) if row else None


@contextmanager
def _worker(stack: BenchStack, processes: int) -> Iterator[None]:
    environment = stack.environment("worker", workers=processes)
    heartbeat = Path(environment["TMPDIR"]) / "worker.heartbeat"
    heartbeat.unlink(missing_ok=True)
    process = stack.start("worker", service_command("worker"), environment)
    try:
        wait_until(heartbeat.exists, f"the worker beats:\n{stack.last_lines('worker')}", 120)
        yield
    finally:
        process.terminate()
        process.wait(60)
