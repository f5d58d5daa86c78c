"""The queue and its workers: jobs are deferred with their rows, survive dead and stopped workers, and end once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from data_processor_testkit.service import HEAD, Person, Service
from data_processor_testkit.worker import TABLE
from data_processor_testkit.worker_process import Worker

from plumbline.verification.throwaway import PostgresServer, RedisServer, throwaway_postgres, wait_until

STALL_S = 2


@pytest.fixture(scope="module")
def own_postgres(redis_server: RedisServer) -> Iterator[PostgresServer]:
    """A Postgres for this module, which tests restart."""
    del redis_server
    with throwaway_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def queue(own_postgres: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The settings of workers, on a database whose schema is at head."""
    service = Service(own_postgres, redis_server.url, tmp_path_factory.mktemp("jobs"), job_stall_s=STALL_S)
    service.migrate()
    service.run_sql(TABLE)
    return service


@pytest.fixture
def worker(queue: Service, tmp_path: Path) -> Iterator[Worker]:
    """A running worker, and an empty queue."""
    queue.run_sql("TRUNCATE procrastinate_jobs, job_notes CASCADE")
    worker = Worker(queue, tmp_path, "data_processor_testkit.worker")
    try:
        worker.start()
        yield worker
    finally:
        worker.kill()


IN_A_TRANSACTION = """
import sys
from data_processor import process
process.configure(forward=False)
from django.db import transaction
from data_processor.database import statements
from data_processor.jobs import deferring
try:
    with transaction.atomic():
        statements.row("INSERT INTO job_notes (name) VALUES ('row') RETURNING id", {})
        deferring.defer_items(7, [(number, number) for number in range(3)], user_id=5)
        if "fail" in sys.argv:
            raise ValueError
except ValueError:
    pass
try:
    deferring.defer_items(7, [(1, 1)], user_id=5)
except RuntimeError as error:
    print(error)
"""


def test_jobs_are_deferred_in_the_transaction_of_their_rows(queue: Service) -> None:
    queue.run_sql("TRUNCATE procrastinate_jobs, job_notes CASCADE")
    counts = "SELECT (SELECT count(*) FROM job_notes), (SELECT count(*) FROM procrastinate_jobs)"
    for outcome, expected in (("fail", (0, 0)), ("succeed", (1, 3))):
        done = subprocess.run(
            [sys.executable, "-c", IN_A_TRANSACTION, outcome],
            env=queue.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "in the transaction" in done.stdout, "deferring without a transaction was not refused"
        assert queue.rows(counts) == [expected]
    jobs = "SELECT queue_name, task_name, priority, args FROM procrastinate_jobs ORDER BY id"
    assert queue.rows(jobs)[-1] == ("batch 7", "apply_item", -2, {"item_id": 2, "user_id": 5})


def test_a_schema_at_our_head_has_all_of_the_queue(queue: Service) -> None:
    code = """
from data_processor import process
process.configure(forward=False)
from django.db.migrations.loader import MigrationLoader
from data_processor.health import selectors
graph = MigrationLoader(None).graph
(newest,) = graph.leaf_nodes("procrastinate")
plan = graph.forwards_plan((selectors.APP, selectors.head()))
assert newest in plan, f"a migration of ours has to depend on {newest}"
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=queue.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_job_is_done_at_once_and_its_start_is_recorded(worker: Worker, queue: Service) -> None:
    worker.defer("note", "plain")
    worker.wait_noted("plain", "done")

    events = "SELECT event, detail FROM stack_events WHERE component = 'worker'"
    wait_until(lambda: ("ready", HEAD) in queue.rows(events), "the start is recorded")


def test_a_killed_process_loses_no_job_and_is_replaced(worker: Worker) -> None:
    worker.defer("hold", "killed")
    first = worker.holder("killed")
    os.kill(first, signal.SIGKILL)

    second = worker.holder("killed", 1)
    assert second != first
    worker.release(second)
    worker.wait_noted("killed", "begun", "begun", "done")
    wait_until(lambda: len(psutil.Process(worker.pid).children()) >= 2, "the process is replaced", 60)


def test_a_stopped_process_that_continues_does_not_end_the_job_of_another(worker: Worker) -> None:
    job = worker.defer("hold", "stopped")
    first = worker.holder("stopped")
    # The main process first, which would kill a process that hangs.
    for pid in (worker.pid, first):
        os.kill(pid, signal.SIGSTOP)
    second = worker.holder("stopped", 1)
    for pid in (first, worker.pid):
        os.kill(pid, signal.SIGCONT)
    worker.release(first)
    wait_until(lambda: "a job had been given to another worker" in worker.log.read_text(), "it is told", 60)

    assert worker.left() == [("hold", "doing")], f"job {job} was ended by a worker that had lost it"
    worker.release(second)
    worker.wait_noted("stopped", "begun", "begun", "done", "done")


def test_a_job_that_kills_its_worker_is_given_up(worker: Worker) -> None:
    worker.defer("die", "poison")
    reason = "given up: the worker ended or hung 6 times while it worked on it"
    wait_until(lambda: reason in worker.notes("poison") and not worker.left(), "it is given up", 180)

    assert worker.notes("poison").count("begun") == 6
    worker.defer("note", "after")
    worker.wait_noted("after", "done")


def test_what_may_pass_is_tried_again_and_what_will_not_is_given_up(worker: Worker) -> None:
    worker.defer("stumble", "again")
    worker.defer("fall", "never")
    worker.wait_noted("again", "done")

    worker.wait_noted(
        "never", "begun", "given up: the service failed at it: the operator's log has the details"
    )  # fmt: skip
    assert "this will never work" in worker.log.read_text()


def test_a_stop_gives_the_job_back(worker: Worker) -> None:
    worker.defer("hold", "unfinished")
    worker.holder("unfinished")
    assert worker.stop() == 0

    # The other process may have returned it to the queue before it stopped, too.
    assert [task for task, _ in worker.left()] == ["hold"]
    assert worker.notes("unfinished") == ["begun"]
    (worker.folder / "worker.heartbeat").unlink()
    worker.start()
    worker.release(worker.holder("unfinished", 1))
    worker.wait_noted("unfinished", "begun", "begun", "done")


def test_a_stop_lets_a_short_job_finish(worker: Worker) -> None:
    worker.defer("hold", "short")
    holder = worker.holder("short")
    assert worker.process is not None
    worker.process.terminate()
    worker.release(holder)

    assert worker.process.wait(60) == 0
    assert worker.notes("short") == ["begun", "done"]
    assert worker.left() == []


def test_work_goes_on_after_postgres_was_away(worker: Worker, own_postgres: PostgresServer) -> None:
    worker.defer("hold", "through")
    holder = worker.holder("through")
    own_postgres.stop()
    worker.release(holder)
    wait_until(lambda: "Postgres is away" in worker.log.read_text(), "the outage is logged", 60)
    own_postgres.start()

    # It could not store that it was done, so it is done again.
    worker.release(worker.holder("through", 1))
    wait_until(lambda: worker.notes("through")[-1] == "done" and not worker.left(), "it is done after all", 60)
    worker.defer("note", "afterwards")
    worker.wait_noted("afterwards", "done")
    assert "never retrieved" not in worker.log.read_text()


def test_a_job_of_a_newer_release_is_left_to_it(worker: Worker, queue: Service) -> None:
    job = worker.defer("of_a_newer_release", "x")
    waits = "SELECT status::text, scheduled_at > now() FROM procrastinate_jobs WHERE id = %s"
    wait_until(lambda: queue.rows(waits, job) == [("todo", True)], "it is put back", 60)


READINGS = """
import json
from data_processor import process
process.configure(forward=False)
from django.db import transaction
from data_processor import jobs
for document_id, again in json.loads(__import__("sys").argv[1]):
    with transaction.atomic():
        jobs.defer_reading(document_id, again=again)
"""


def test_the_first_document_of_a_channel_comes_before_further_ones_of_others(queue: Service) -> None:
    queue.run_sql("TRUNCATE procrastinate_jobs CASCADE")
    person = Person(queue)
    busy, quiet = person.create_channel(), person.create_channel()
    ids = [*queue.record_documents(person, busy, 3), *queue.record_documents(person, quiet)]
    wanted = [(ids[0], False), (ids[1], False), (ids[2], False), (ids[3], False), (2**62, False)]
    wanted += [(ids[1], False), (ids[2], True)]
    done = subprocess.run(
        [sys.executable, "-c", READINGS, json.dumps(wanted)],
        env=queue.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    order = "SELECT args FROM procrastinate_jobs ORDER BY priority DESC, id"
    assert [(args["document_id"], args["again"]) for (args,) in queue.rows(order)] == [
        (ids[0], False), (ids[3], False), (ids[1], False), (ids[2], True)
    ]  # fmt: skip
