"""Batch jobs: recorded, listed, kept."""

from __future__ import annotations

from typing import Any

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal


@pytest.fixture
def template(person: Person, channel: int) -> int:
    return int(person.post("templates/", json={"channel_id": channel, "name": "Invoice"}).json()["id"])


@pytest.fixture
def documents(person: Person, channel: int) -> list[int]:
    return [person.upload(channel, samples.image(), f"scan {number}.png").json()["id"] for number in range(3)]


def _create(person: Person, channel: int, template: int, documents: Any) -> Any:
    return person.post("batch/", json={"channel_id": channel, "template_id": template, "document_ids": documents})


def test_job_is_recorded_as_pending(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    chosen = [documents[2], documents[0]]
    response = _create(person, channel, template, chosen)

    assert response.status_code == 202, response.text
    body = response.json()
    expected = {"channel_id": channel, "template_id": template, "status": "pending", "total": 2, "done": 0, "failed": 0}
    assert {name: body[name] for name in expected} == expected
    assert body["items"] == [
        {"document_id": chosen[0], "filename": "scan 2.png", "status": "pending", "error": None},
        {"document_id": chosen[1], "filename": "scan 0.png", "status": "pending", "error": None},
    ]
    assert service.rows(
        "SELECT channel_id, template_id, status, total, done, failed, created_by FROM batch_jobs WHERE id = %s",
        body["id"],
    ) == [(*expected.values(), person.id)]
    assert service.rows(
        "SELECT position, document_id, status, error FROM batch_items WHERE batch_job_id = %s ORDER BY position",
        body["id"],
    ) == [(1, chosen[0], "pending", None), (2, chosen[1], "pending", None)]
    assert person.get(f"batch/{body['id']}/").json() == body


def test_list_leaves_the_items_out(person: Person, channel: int, template: int, documents: list[int]) -> None:
    ids = [_create(person, channel, template, documents).json()["id"] for _ in range(3)]

    for query in (f"?channel_id={channel}&limit=2", "?limit=2"):
        first = person.get("batch/" + query).json()
        assert ([item["id"] for item in first["items"]], first["next"]) == (ids[:0:-1], ids[1])
        assert "items" not in first["items"][0]
        second = person.get(f"batch/{query}&before={first['next']}").json()
        assert ([item["id"] for item in second["items"]], second["next"]) == (ids[:1], None)


def test_document_that_is_deleted_stays_on_record(
    person: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = _create(person, channel, template, documents[:1]).json()
    assert person.call("DELETE", f"documents/{documents[0]}/").status_code == 204
    assert person.call("DELETE", f"templates/{template}/").status_code == 204

    kept = person.get(f"batch/{job['id']}/").json()
    assert (kept["template_id"], kept["total"]) == (None, 1)
    assert kept["items"] == [{"document_id": None, "filename": "scan 0.png", "status": "pending", "error": None}]


def test_documents_of_elsewhere_are_named(
    service: Service, person: Person, channel: int, template: int, documents: list[int]
) -> None:
    elsewhere = person.upload(person.create_channel(), samples.image()).json()["id"]
    body = refusal(_create(person, channel, template, [documents[0], elsewhere, 2**62]), 422, "invalid")

    assert body["document_ids"] == [elsewhere, 2**62]
    assert str(elsewhere) in body["detail"]
    assert service.rows("SELECT 1 FROM batch_jobs WHERE channel_id = %s", channel) == []


def test_template_of_elsewhere_is_refused(service: Service, person: Person, channel: int, documents: list[int]) -> None:
    own = person.post("templates/", json={"channel_id": person.create_channel(), "name": "Other"}).json()["id"]
    other = Person(service)
    foreign = other.post("templates/", json={"channel_id": other.create_channel(), "name": "Other"}).json()["id"]

    assert refusal(_create(person, channel, own, documents), 422, "invalid")["errors"][0]["field"] == "template_id"
    refusal(_create(person, channel, foreign, documents), 403, "not_a_member")
    refusal(_create(person, channel, 2**62, documents), 404, "no_such_template")


@pytest.mark.parametrize("odd", [[], [1, 1], [0], [-1], [2**63], ["1"], [1.5], [None], "1", None, list(range(1, 1002))])
def test_odd_document_ids_are_refused(person: Person, channel: int, template: int, odd: Any) -> None:
    body = refusal(_create(person, channel, template, odd), 422, "invalid")

    assert body["errors"][0]["field"].startswith("document_ids")


def test_stranger_may_do_nothing(
    person: Person, stranger: Person, channel: int, template: int, documents: list[int]
) -> None:
    job = _create(person, channel, template, documents).json()["id"]

    refusal(_create(stranger, channel, template, documents), 403, "not_a_member")
    refusal(stranger.get(f"batch/{job}/"), 403, "not_a_member")
    refusal(stranger.get(f"batch/?channel_id={channel}"), 403, "not_a_member")
    assert stranger.get("batch/").json() == {"items": [], "next": None}
    refusal(person.get(f"batch/{2**62}/"), 404, "no_such_batch_job")
    refusal(_create(person, 2**62, template, documents), 404, "no_such_channel")
