"""Requests with an `Idempotency-Key`: repeated, in work, with another body, and many at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal

BOX = {"x": 1.5, "y": 2, "width": 30, "height": 40}
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"


@dataclass
class Creation:
    """A call that creates: `send` with a key, and `other` that means something else."""

    table: str
    send: Callable[[str], requests.Response]
    other: Callable[[str], requests.Response]


def with_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


@pytest.fixture(params=["documents", "annotations", "templates", "batch_jobs"])
def creation(request: Any, person: Person, channel: int, document: dict[str, Any]) -> Creation:
    def post(path: str, **json: object) -> Callable[[str], requests.Response]:
        return lambda key: person.post(path, json=json, headers=with_key(key))

    def upload(name: str) -> Callable[[str], requests.Response]:
        # requests makes a new boundary each time.
        data = samples.image()
        return lambda key: person.post(
            "documents/", files={"file": (name, data)}, data={"channel_id": str(channel)}, headers=with_key(key)
        )

    label = {"bounding_box": BOX, "label_type": "text", "label_name": "total"}
    boxes = f"documents/{document['id']}/annotations/"
    if request.param == "documents":
        return Creation("documents", upload("a.png"), upload("b.png"))
    if request.param == "annotations":
        return Creation("annotations", post(boxes, **label), post(boxes, **label, text="other"))
    if request.param == "templates":
        create = [post("templates/", channel_id=channel, name=name) for name in ("Invoice", "Letter")]
        return Creation("templates", *create)
    ids = [person.post("templates/", json={"channel_id": channel, "name": name}).json()["id"] for name in "ab"]
    start = [post("batch/", channel_id=channel, template_id=one, document_ids=[document["id"]]) for one in ids]
    return Creation("batch_jobs", *start)


def count(service: Service, table: str) -> int:
    ((number,),) = service.rows(f"SELECT count(*) FROM {table}")
    return int(number)


def test_a_repeated_request_gets_the_first_answer_and_is_stored_once(service: Service, creation: Creation) -> None:
    key, before = str(uuid.uuid4()), count(service, creation.table)
    jobs = count(service, "procrastinate_jobs")
    first = creation.send(key)
    assert first.status_code in (201, 202), first.text
    jobs_of_one = count(service, "procrastinate_jobs") - jobs
    again = creation.send(key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert count(service, creation.table) == before + 1
    assert count(service, "procrastinate_jobs") == jobs + jobs_of_one


def test_another_request_with_the_same_key_is_refused(service: Service, creation: Creation) -> None:
    key = str(uuid.uuid4())
    creation.send(key)
    before = count(service, creation.table)
    refusal(creation.other(key), 422, "key_reused")
    assert count(service, creation.table) == before


def test_a_request_that_is_still_in_work_is_refused(service: Service, person: Person, creation: Creation) -> None:
    key, before = str(uuid.uuid4()), count(service, creation.table)
    with psycopg.connect(service.postgres.conninfo) as first:
        first.execute(LOCK, (key, person.id))
        refused = creation.send(key)
        refusal(refused, 409, "key_in_use")
        assert int(refused.headers["Retry-After"]) >= 1
    assert count(service, creation.table) == before
    assert creation.send(key).status_code in (201, 202)


def test_several_at_once_are_one(service: Service, creation: Creation) -> None:
    key, before, together = str(uuid.uuid4()), count(service, creation.table), threading.Barrier(3)

    def send() -> requests.Response:
        together.wait()
        return creation.send(key)

    with ThreadPoolExecutor(3) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(3)]]
    done = [answer for answer in answers if answer.status_code in (201, 202)]
    assert len({answer.content for answer in done}) == 1
    assert {answer.json()["code"] for answer in answers if answer not in done} <= {"key_in_use"}
    assert count(service, creation.table) == before + 1


def test_a_key_belongs_to_its_user(service: Service, person: Person, channel: int, stranger: Person) -> None:
    key = str(uuid.uuid4())
    stranger.join(channel)
    for who, name in ((person, "one"), (stranger, "two")):
        answer = who.post("templates/", json={"channel_id": channel, "name": name}, headers=with_key(key))
        assert (answer.status_code, answer.json()["name"]) == (201, name)


def test_a_refused_request_does_not_use_up_its_key(service: Service, channel: int, stranger: Person) -> None:
    key, body = str(uuid.uuid4()), {"channel_id": channel, "name": "Invoice"}
    refusal(stranger.post("templates/", json=body, headers=with_key(key)), 403, "not_a_member")
    stranger.join(channel)
    assert stranger.post("templates/", json=body, headers=with_key(key)).status_code == 201
    refusal(stranger.post("templates/", json=body, headers=with_key(str(uuid.uuid4()))), 409, "name_taken")


def test_an_invalid_key_is_refused(service: Service, person: Person, channel: int) -> None:
    body = {"channel_id": channel, "name": "Invoice"}
    found = refusal(person.post("templates/", json=body, headers=with_key("two words")), 422, "invalid")
    assert found["errors"][0]["field"] == "Idempotency-Key"
    assert person.post("templates/", json=body).status_code == 201
