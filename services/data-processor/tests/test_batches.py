"""Batch jobs: none is started without a worker; recorded ones are read, listed and kept."""

from __future__ import annotations

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal


@pytest.fixture
def template(person: Person, channel: int) -> int:
    return int(person.post("templates/", json={"channel_id": channel, "name": "Invoice"}).json()["id"])


@pytest.fixture
def documents(person: Person, channel: int) -> list[int]:
    return [person.upload(channel, samples.image(), f"scan {number}.png").json()["id"] for number in range(3)]


def test_no_job_is_started_without_a_worker(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    body = {"channel_id": channel, "template_id": template, "document_ids": documents}
    refusal(person.post("batch/", json=body), 501, "not_implemented")
    assert service.rows("SELECT 1 FROM batch_jobs WHERE channel_id = %s", channel) == []


def test_a_recorded_job_is_read_with_its_documents_in_order(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = service.record_job(person, channel, template, [documents[2], documents[0]])
    body = person.get(f"batch/{job}/").json()
    expected = {"channel_id": channel, "template_id": template, "status": "pending", "total": 2, "done": 0, "failed": 0}
    assert {name: body[name] for name in expected} == expected
    assert body["items"] == [
        {"document_id": documents[2], "filename": "scan 2.png", "status": "pending", "error": None},
        {"document_id": documents[0], "filename": "scan 0.png", "status": "pending", "error": None},
    ]


def test_list_has_no_items(service: Service, person: Person, channel: int, template: int, documents: list[int]) -> None:
    ids = [service.record_job(person, channel, template, documents) for _ in range(3)]

    for query in (f"?channel_id={channel}&limit=2", "?limit=2"):
        first = person.get("batch/" + query).json()
        assert ([item["id"] for item in first["items"]], first["next"]) == (ids[:0:-1], ids[1])
        assert "items" not in first["items"][0]
        second = person.get(f"batch/{query}&before={first['next']}").json()
        assert ([item["id"] for item in second["items"]], second["next"]) == (ids[:1], None)


def test_deleted_document_stays_recorded(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = service.record_job(person, channel, template, documents[:1])
    assert person.call("DELETE", f"documents/{documents[0]}/").status_code == 204
    assert person.call("DELETE", f"templates/{template}/").status_code == 204

    kept = person.get(f"batch/{job}/").json()
    assert (kept["template_id"], kept["total"]) == (None, 1)
    assert kept["items"] == [{"document_id": None, "filename": "scan 0.png", "status": "pending", "error": None}]


def test_strangers_see_no_job(
    service: Service, person: Person, stranger: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = service.record_job(person, channel, template, documents)

    refusal(stranger.get(f"batch/{job}/"), 403, "not_a_member")
    refusal(stranger.get(f"batch/?channel_id={channel}"), 403, "not_a_member")
    assert stranger.get("batch/").json() == {"items": [], "next": None}
    refusal(person.get(f"batch/{2**62}/"), 404, "no_such_batch_job")
