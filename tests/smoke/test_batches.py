"""Batch jobs are carried out by workers, document by document, whatever happens to a worker meanwhile.

Protects from batch jobs that lose documents, do them twice, or never end.
"""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest

from plumbline.targets.base import Target
from plumbline.verification.checks import batches, findings, frames, rows, samples
from plumbline.verification.checks.batches import JOBS
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.throwaway import wait_for_value

Database = psycopg.Connection[dict[str, Any]]
LABEL = {
    "name": "number", "label_type": "field", "colour": "#112233", "page": 1, "required": False,
    "bounding_box": {"x": 0.0, "y": 0.0, "width": 1.0, "height": 0.5}, "expected_format": None,
}  # fmt: skip
MANY = 24
RUNNING = "SELECT 1 FROM batch_items WHERE batch_job_id = %s AND status = 'running'"
DOUBLED = """
    SELECT document_id, label_name, page FROM annotations a JOIN batch_items i USING (document_id)
    WHERE i.batch_job_id = %s GROUP BY document_id, label_name, page HAVING count(*) > 1
"""
"""Annotations that a document has twice."""


@pytest.fixture(scope="module")
def channel(alice: User) -> dict[str, Any]:
    return alice.create_channel("private")


def new_template(user: User, channel: int) -> int:
    body = {"channel_id": channel, "name": f"{PREFIX}{secrets.token_hex(4)}", "labels": [LABEL]}
    return int(user.post("/data-processor/templates/", body).expect(201)["id"])


def upload(user: User, channel: int, count: int) -> list[int]:
    """Upload PDFs with a text layer; return their ids."""
    files = [samples.pdf(f"Invoice {number} {secrets.token_hex(4)}") for number in range(count)]
    return [
        int(user.upload(channel, f"{PREFIX}{number}.pdf", file).expect(201)["id"]) for number, file in enumerate(files)
    ]


def start(user: User, channel: int, documents: list[int]) -> int:
    body = {"channel_id": channel, "template_id": new_template(user, channel), "document_ids": documents}
    return int(user.post(JOBS, body).expect(202)["id"])


def test_a_job_is_carried_out_and_its_rows_say_so(alice: User, channel: dict[str, Any], database: Database) -> None:
    documents = upload(alice, channel["id"], 3)
    with alice.socket() as live:
        job = start(alice, channel["id"], documents)
        ended = batches.wait_ended(alice, job)
        frame = live.wait_for("batch_progress", job_id=job, status="done")
    told = {"channel_id": channel["id"], "status": "done", "total": 3, "done": 3, "failed": 0}
    assert frame == {"type": "batch_progress", "job_id": job, **told}
    assert frames.faults(frame) == []
    assert {name: ended[name] for name in told} == told
    row = rows.one(database, "batch_jobs", id=job)
    assert {name: row[name] for name in told} == told
    assert (row["created_by"], row["finished_at"] is not None) == (alice.id, True)
    stored = sorted(rows.many(database, "batch_items", batch_job_id=job), key=lambda item: item["position"])
    assert [(item["document_id"], item["status"], item["error"]) for item in stored] == [
        (document, "done", None) for document in documents
    ]
    assert [item["document_id"] for item in batches.items(alice, job)] == documents
    assert database.execute(DOUBLED, [job]).fetchall() == []
    assert job in [one["id"] for one in alice.get(JOBS, channel_id=channel["id"]).expect(200)["items"]]


def test_documents_and_templates_of_other_channels_are_refused(
    alice: User, channel: dict[str, Any], database: Database
) -> None:
    elsewhere = alice.create_channel("private")["id"]
    (foreign,), (own,) = upload(alice, elsewhere, 1), upload(alice, channel["id"], 1)
    template = new_template(alice, channel["id"])
    body = {"channel_id": channel["id"], "template_id": template, "document_ids": [own, foreign]}
    refused = alice.post(JOBS, body).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["document_ids"]
    assert str(foreign) in refused["detail"]
    body |= {"template_id": new_template(alice, elsewhere), "document_ids": [own]}
    refused = alice.post(JOBS, body).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["template_id"]
    alice.post(JOBS, body | {"document_ids": [own, own]}).expect_problem(422)
    assert [row for row in rows.many(database, "batch_jobs", channel_id=channel["id"]) if row["total"] != 3] == []


@pytest.mark.disrupt
def test_one_bad_document_fails_alone_and_runs_again_on_request(
    alice: User, target: Target, database: Database
) -> None:
    channel = alice.create_channel("private")["id"]
    documents = upload(alice, channel, 3)
    target.stop("worker")
    try:
        job = start(alice, channel, documents)
        alice.delete(f"/data-processor/documents/{documents[1]}/").expect(204)
    finally:
        target.start("worker")
    ended = batches.wait_ended(alice, job)
    assert (ended["status"], ended["done"], ended["failed"]) == ("done", 2, 1)
    first, bad, last = batches.items(alice, job)
    assert (bad["status"], bad["error"], bad["document_id"]) == ("failed", "the document was deleted", None)
    assert [(one["status"], one["error"]) for one in (first, last)] == [("done", None)] * 2
    alice.post(f"{JOBS}{job}/retry/").expect(202)
    again = batches.wait_ended(alice, job)
    assert (again["status"], again["done"], again["failed"]) == ("done", 2, 1)
    attempts = {row["position"]: row["attempt"] for row in rows.many(database, "batch_items", batch_job_id=job)}
    assert attempts == {1: 1, 2: 2, 3: 1}, "more than the failed document was run again"


@pytest.mark.disrupt
def test_work_goes_on_when_the_worker_is_killed_in_the_middle(alice: User, target: Target, database: Database) -> None:
    channel = alice.create_channel("private")["id"]
    job = start(alice, channel, upload(alice, channel, MANY))

    def begun() -> bool:
        ended = rows.one(database, "batch_jobs", id=job)["finished_at"] is not None
        return ended or database.execute(RUNNING, [job]).fetchone() is not None

    for _ in range(2):
        wait_for_value(begun, bool, "a worker to begin", batches.JOB_S)
        target.kill("worker")
    ended = batches.wait_ended(alice, job)
    assert (ended["status"], ended["done"], ended["failed"]) == ("done", MANY, 0)
    assert {item["status"] for item in batches.items(alice, job)} == {"done"}
    assert database.execute(DOUBLED, [job]).fetchall() == [], "a document was processed twice, and it shows"
    # The next check must find a whole stack.
    findings.require_none_soon(
        lambda: target.stack().problems(), findings.WHOLE_AGAIN_S,
        about="a worker that was killed does not recover", then="./deploy-local.sh status",
    )  # fmt: skip
