"""Templates applied by requests, and by a job with one worker process and with two, beside bare psycopg."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import dataset
from benchmarks.report import Column, Report, Table
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack
from plumbline.errors import PlumblineError
from plumbline.targets.embedded.programs import service_command
from plumbline.verification.checks import samples
from plumbline.verification.throwaway import through_caddy, wait_until

DOCUMENTS = 200
WANTED = 1.7
ELSEWHERE = (1_000, 1_000_000)
"""Annotations, and items of jobs, in the database."""
_ROUNDS = 3
_PATIENCE_S = 600.0
_COLUMNS = (Column("applied by", -24), Column("rows elsewhere", 14), Column("a second", 9), Column("ratio", 7))
_LABELS = [
    {
        "name": name, "label_type": "field", "colour": "#112233", "page": 1, "required": False,
        "bounding_box": {"x": x, "y": 0.0, "width": 0.5, "height": 0.5}, "expected_format": None,
    }
    for name, x in (("first", 0.0), ("second", 0.5))
]  # fmt: skip
_EXPLANATION = f"""\
A template with two labels is applied to {DOCUMENTS} documents of one page whose text is stored: by requests of one
client, one after another, and by a job, from its creation to its end by the clock of the database. Two worker processes
should do at least {WANTED} times the work of one, on two free cores. bare: over one connection, the statements of a
request in one transaction (ratio: to requests); and those that take an item, write two annotations and end the item
(ratio: to one worker process).
"""
_BESIDE = {
    "requests": "requests",
    "bare, a request": "requests",
    "worker processes: 1": "worker processes: 1",
    "worker processes: 2": "worker processes: 1",
    "bare, an item": "worker processes: 1",
}
"""What each row is compared with."""
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
# Of one document and of one job, which `dataset` has made.
_CROWD = (
    """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour)
    SELECT (SELECT max(id) FROM documents WHERE channel_id = %(channel_id)s), 1, 10, 20, 30, 40, 'field', 'Total',
           '#ffcc00'
    FROM generate_series(1, %(count)s)
    """,
    """
    INSERT INTO batch_items (batch_job_id, position, filename, status)
    SELECT b.id, b.total + n, 'one.pdf', 'done'
    FROM (SELECT id, (SELECT count(*) FROM batch_items i WHERE i.batch_job_id = j.id) AS total
          FROM batch_jobs j WHERE channel_id = %(channel_id)s ORDER BY id DESC LIMIT 1) b,
         generate_series(1, %(count)s) n
    """,
)
_END = "UPDATE batch_items SET status = 'done' WHERE id = %s AND attempt = %s AND status = 'running'"


def run(report: Report) -> None:
    """Measure in a database with few other rows and with many. Raises PlumblineError if a document fails."""
    with bench_stack() as stack:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        job = _Job(stack)
        with _worker(stack, 2):
            job.run()  # reads the documents
        table = report.table(f"a template applied to {DOCUMENTS} documents", _COLUMNS)
        for elsewhere in ELSEWHERE:
            job.crowd(elsewhere)
            _measure(stack, job, table, elsewhere)
    report.say(_EXPLANATION)


def _measure(stack: BenchStack, job: _Job, table: Table, elsewhere: int) -> None:
    found: dict[str, list[float]] = {words: [] for words in _BESIDE}
    for _ in range(_ROUNDS):
        found["requests"].append(job.apply())
        found["bare, a request"].append(job.apply_bare())
        for processes in (1, 2):
            with _worker(stack, processes):
                found[f"worker processes: {processes}"].append(job.run())
        found["bare, an item"].append(job.run_bare())
    for words, beside in _BESIDE.items():
        speed = statistics.median(found[words])
        # Within a round, so that other work of the machine affects both.
        ratio = statistics.median(one / other for one, other in zip(found[words], found[beside], strict=True))
        shown = {"applied by": words, "rows elsewhere": f"{elsewhere:,}", "a second": f"{speed:,.1f}"}
        table.row(shown | {"ratio": f"{ratio:.2f}"}, applied_by=words, elsewhere=elsewhere, per_s=speed, ratio=ratio)


class _Job:
    """Documents and a template of one channel, to which a job is run again and again."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._url = f"http://127.0.0.1:{stack.layout.ports['data-processor']}/data-processor/"
        world = dataset.fill(stack, 1, 1)
        self._headers = {"Authorization": f"Bearer {world.token}"}
        self._user, self._channel, self._other_channel = world.user_id, world.channel_id, world.busy_channel_id
        self._elsewhere = 0
        self._documents = [self._upload(number) for number in range(DOCUMENTS)]
        body = {"channel_id": self._channel, "name": "measured", "labels": _LABELS}
        self._template = self._call("POST", "templates/", json=body)["id"]

    def crowd(self, count: int) -> None:
        """Make rows of other documents and jobs, until there are `count` of them."""
        with self._stack.connect() as database:
            values = {"channel_id": self._other_channel, "count": count - self._elsewhere}
            for statement in _CROWD:
                database.execute(statement, values)
            database.execute("VACUUM ANALYZE")
        self._elsewhere = count

    def apply(self) -> float:
        """Apply the template by requests, where nothing was found yet; return the documents in a second."""
        self._forget()
        begun = time.monotonic()
        for document in self._documents:
            self._call("POST", f"documents/{document}/apply-template/", json={"template_id": self._template})
        return len(self._documents) / (time.monotonic() - begun)

    def apply_bare(self) -> float:
        """Run the statements of such requests in bare psycopg; return the documents in a second."""
        self._forget()
        found = self._stack.floor("bare_apply", self._user, self._template, *self._documents)
        return float(found["rows"] / found["seconds"])

    def _forget(self) -> None:
        with self._stack.connect() as database:
            database.execute("DELETE FROM annotations WHERE document_id = ANY(%s)", (self._documents,))

    def run(self) -> float:
        """Run a job, and another that is measured; return its documents in a second."""
        self._speed(self._start())  # reads what was not yet read, and warms up
        self._forget()
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
            # Seldom, because asking takes CPU time from the workers; the database says when the job has ended.
            wait_until(lambda: _speed_of(database, job) is not None, f"job {job} ends", _PATIENCE_S, every_s=0.25)
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
