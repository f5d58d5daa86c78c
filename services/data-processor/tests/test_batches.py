"""Batch jobs: what is refused, what workers make of them, cancelling, running again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal
from data_processor_testkit.worker_process import Worker
from servicekit.events import decode
from servicekit.facts import EVENTS_CHANNEL

from plumbline.verification.throwaway import RedisServer, wait_for_value

ENDED = ("done", "failed", "cancelled")
PROGRESS = ("status", "total", "done", "failed")


@pytest.fixture
def template(person: Person, channel: int) -> int:
    return int(person.post("templates/", json={"channel_id": channel, "name": "Invoice"}).json()["id"])


@pytest.fixture
def documents(person: Person, channel: int) -> list[int]:
    return [person.upload(channel, samples.image(), f"scan {number}.png").json()["id"] for number in range(3)]


@pytest.fixture(scope="module")
def worker(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker, which a test starts if it needs it and stops at its end."""
    worker = Worker(service, tmp_path_factory.mktemp("worker"))
    try:
        yield worker
    finally:
        worker.kill()


@pytest.fixture
def works(worker: Worker) -> Iterator[Worker]:
    """A running worker."""
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def create(person: Person, channel: int, template: int, documents: Any) -> Any:
    return person.post("batch/", json={"channel_id": channel, "template_id": template, "document_ids": documents})


def started(person: Person, channel: int, template: int, documents: list[int]) -> int:
    answer = create(person, channel, template, documents)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


def progress(person: Person, job: int) -> tuple[Any, ...]:
    body = person.get(f"batch/{job}/").json()
    return tuple(body[name] for name in PROGRESS)


def ended(person: Person, job: int) -> tuple[Any, ...]:
    """Wait until a job has ended; return its progress."""
    return wait_for_value(lambda: progress(person, job), lambda found: found[0] in ENDED, "the job ends", 60)


def items(person: Person, job: int, query: str = "") -> list[dict[str, Any]]:
    return list(person.get(f"batch/{job}/items/{query}").json()["items"])


def outcomes(person: Person, job: int) -> list[tuple[str, str | None]]:
    return [(item["status"], item["error"]) for item in items(person, job)]


# Starting


def test_a_job_and_its_queue_are_stored_together(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    body = create(person, channel, template, [documents[2], documents[0]]).json()
    expected = {
        "channel_id": channel, "template_id": template, "status": "pending", "total": 2, "done": 0, "failed": 0,
        "created_by": person.id, "finished_at": None,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert items(person, body["id"]) == [
        {"position": 1, "document_id": documents[2], "filename": "scan 2.png", "status": "pending", "error": None},
        {"position": 2, "document_id": documents[0], "filename": "scan 0.png", "status": "pending", "error": None},
    ]
    queued = "SELECT task_name, priority FROM procrastinate_jobs WHERE queue_name = %s ORDER BY id"
    assert service.rows(queued, f"batch {body['id']}") == [("apply_item", -1), ("apply_item", -2)]


def test_template_and_documents_must_be_of_the_channel(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    elsewhere = person.create_channel()
    there = person.upload(elsewhere, samples.image()).json()["id"]
    own = person.post("templates/", json={"channel_id": elsewhere, "name": "Other"}).json()["id"]
    other = Person(service)
    foreign = other.post("templates/", json={"channel_id": other.create_channel(), "name": "Other"}).json()["id"]

    body = refusal(create(person, channel, template, [*documents, there]), 422, "invalid")
    assert body["errors"] == [{"field": "document_ids", "message": f"not documents of channel {channel}: {there}"}]
    assert refusal(create(person, channel, own, documents), 422, "invalid")["errors"][0]["field"] == "template_id"
    refusal(create(person, channel, foreign, documents), 403, "not_a_member")
    refusal(create(person, channel, 2**62, documents), 404, "no_such_template")
    refusal(create(person, 2**62, template, documents), 404, "no_such_channel")
    assert service.rows("SELECT 1 FROM batch_jobs WHERE channel_id = %s", channel) == []


@pytest.mark.parametrize("wrong", [[], [1, 1], [0], [2**63], ["1"], [1.5], [None], None, list(range(1, 10_002))])
def test_wrong_document_ids_are_refused(person: Person, channel: int, template: int, wrong: Any) -> None:
    body = refusal(create(person, channel, template, wrong), 422, "invalid")

    assert body["errors"][0]["field"].startswith("document_ids")


def test_strangers_see_and_change_no_job(
    person: Person, stranger: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = started(person, channel, template, documents)

    refusal(create(stranger, channel, template, documents), 403, "not_a_member")
    for path in (f"batch/{job}/", f"batch/{job}/items/", f"batch/?channel_id={channel}"):
        refusal(stranger.get(path), 403, "not_a_member")
    for path in (f"batch/{job}/cancel/", f"batch/{job}/retry/"):
        refusal(stranger.post(path), 403, "not_a_member")
        refusal(stranger.post(path.replace(str(job), str(2**62))), 404, "no_such_batch_job")
    assert stranger.get("batch/").json() == {"items": [], "next": None}
    refusal(person.get(f"batch/{2**62}/"), 404, "no_such_batch_job")
    refusal(person.get(f"batch/{2**62}/items/"), 404, "no_such_batch_job")
    assert progress(person, job) == ("pending", 3, 0, 0)


def test_jobs_and_items_are_listed_in_pages(person: Person, channel: int, template: int, documents: list[int]) -> None:
    ids = [started(person, channel, template, documents) for _ in range(3)]

    for query in (f"?channel_id={channel}&limit=2", "?limit=2"):
        first = person.get("batch/" + query).json()
        assert ([item["id"] for item in first["items"]], first["next"]) == (ids[:0:-1], ids[1])
        second = person.get(f"batch/{query}&before={first['next']}").json()
        assert ([item["id"] for item in second["items"]], second["next"]) == (ids[:1], None)
    page = person.get(f"batch/{ids[0]}/items/?limit=2").json()
    assert ([item["position"] for item in page["items"]], page["next"]) == ([1, 2], 2)
    page = person.get(f"batch/{ids[0]}/items/?limit=2&after=2").json()
    assert ([item["position"] for item in page["items"]], page["next"]) == ([3], None)
    assert items(person, ids[0], "?status=failed") == []
    refusal(person.get(f"batch/{ids[0]}/items/?status=odd"), 422, "invalid")


def test_ten_thousand_documents_are_one_job(service: Service, person: Person, channel: int, template: int) -> None:
    job = started(person, channel, template, service.record_documents(person, channel, 10_000))
    queued = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = %s"
    assert service.rows(queued, f"batch {job}") == [(10_000,)]

    assert person.post(f"batch/{job}/cancel/").json()["status"] == "cancelled"
    assert service.rows(queued, f"batch {job}") == [(0,)]


# Cancelling and running again


def test_what_was_cancelled_runs_again_for_the_user_who_asks(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = started(person, channel, template, documents)
    cancelled = person.post(f"batch/{job}/cancel/")
    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    assert cancelled.json()["finished_at"] is not None
    assert outcomes(person, job) == [("cancelled", None)] * 3
    queued = "SELECT args->>'user_id' FROM procrastinate_jobs WHERE queue_name = %s"
    assert service.rows(queued, f"batch {job}") == []
    assert person.post(f"batch/{job}/cancel/").json() == person.get(f"batch/{job}/").json(), "once more changes nothing"

    friend = Person(service)
    friend.join(channel)
    again = friend.post(f"batch/{job}/retry/")
    assert again.status_code == 202
    assert (again.json()["status"], again.json()["finished_at"]) == ("pending", None)
    assert service.rows(queued, f"batch {job}") == [(str(friend.id),)] * 3
    friend.post(f"batch/{job}/retry/")
    assert len(service.rows(queued, f"batch {job}")) == 3, "nothing is queued twice"


# Workers


def test_one_bad_document_fails_alone_and_members_are_told(
    service: Service, person: Person, channel: int, template: int, documents: list[int], works: Worker,
    redis_server: RedisServer,
) -> None:  # fmt: skip
    (bad,) = service.record_documents(person, channel)
    with redis.Redis.from_url(redis_server.admin_url) as client, client.pubsub() as listener:
        listener.subscribe(EVENTS_CHANNEL)
        job = started(person, channel, template, [documents[0], bad, documents[1]])
        frames: list[dict[str, Any]] = []

        def last() -> dict[str, Any] | None:
            message = listener.get_message(ignore_subscribe_messages=True, timeout=0.1)
            if message is not None:
                frame = decode(message["data"]).frame
                frames.extend([frame] if frame["type"] == "batch_progress" and frame["job_id"] == job else [])
            return frames[-1] if frames else None

        told = wait_for_value(last, lambda frame: frame is not None and frame["status"] in ENDED, "the last frame", 60)
    assert told == {
        "type": "batch_progress", "job_id": job, "channel_id": channel, "status": "done", "total": 3, "done": 2,
        "failed": 1,
    }  # fmt: skip
    assert [frame["status"] for frame in frames].count("done") == 1
    assert progress(person, job) == ("done", 3, 2, 1)
    assert [status for status, _ in outcomes(person, job)] == ["done", "failed", "done"]
    (failed,) = items(person, job, "?status=failed")
    assert failed["document_id"] == bad
    assert failed["error"].startswith("its text cannot be read: page 1: ")
    counts = "SELECT attempt FROM batch_items WHERE batch_job_id = %s ORDER BY position"
    assert service.rows(counts, job) == [(1,), (1,), (1,)]


def test_what_was_deleted_meanwhile_fails_with_its_reason(
    service: Service, person: Person, channel: int, template: int, documents: list[int], worker: Worker
) -> None:
    friend = Person(service)
    friend.join(channel)
    left = started(friend, channel, template, documents[:1])
    service.run_sql(f"DELETE FROM memberships WHERE user_id = {friend.id}")
    job = started(person, channel, template, documents)
    assert person.call("DELETE", f"documents/{documents[0]}/").status_code == 204
    second = person.post("templates/", json={"channel_id": channel, "name": "Second"}).json()["id"]
    without = started(person, channel, second, documents[1:2])
    assert person.call("DELETE", f"templates/{second}/").status_code == 204
    worker.start()
    try:
        assert ended(person, job) == ("done", 3, 2, 1)
        assert ended(person, left) == ("failed", 1, 0, 1)
        assert ended(person, without) == ("failed", 1, 0, 1)
    finally:
        worker.stop()

    assert items(person, job)[0]["error"] == "the document was deleted"
    assert (items(person, job)[0]["document_id"], items(person, job)[0]["filename"]) == (None, "scan 0.png")
    assert outcomes(person, left) == [("failed", "the user who started this is no longer a member of the channel")]
    assert outcomes(person, without) == [("failed", "the template was deleted")]
    assert person.get(f"batch/{without}/").json()["template_id"] is None


OVERTAKEN = """
import sys
from data_processor import process
process.configure(forward=False)
from django.db import transaction
from data_processor.applying.services import OvertakenError
from data_processor.batches import running
from data_processor.database import statements
item_id, user_id = map(int, sys.argv[1:])
tries = 0

def overtaken(*, guard, document_id, **_):
    # Another worker takes the item while this one works on it. This one then stores nothing.
    global tries
    tries += 1
    if tries == 1:
        running.item_run(item_id=item_id, user_id=user_id)
    with transaction.atomic():
        if not guard(None):
            print("refused", tries)
            raise OvertakenError
        sql = "UPDATE documents SET filename = filename || '+' WHERE id = %(id)s RETURNING id"
        statements.row(sql, {"id": document_id})

running.template_apply = overtaken
running.item_run(item_id=item_id, user_id=user_id)
"""


def test_a_worker_that_was_overtaken_stores_nothing(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = started(person, channel, template, documents[:1])
    ((item,),) = service.rows("SELECT id FROM batch_items WHERE batch_job_id = %s", job)
    done = subprocess.run(
        [sys.executable, "-c", OVERTAKEN, str(item), str(person.id)],
        env=service.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "refused 2\n", done.stdout
    assert progress(person, job) == ("done", 1, 1, 0)
    assert service.rows("SELECT attempt FROM batch_items WHERE id = %s", item) == [(2,)]
    assert person.get(f"documents/{documents[0]}/").json()["filename"] == "scan 0.png+"
