"""Annotations: creating, reading, changing and deleting, and boxes that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal

from plumbline.verification.throwaway import wait_until

BOX = {"x": 10.5, "y": 20, "width": 30.25, "height": 40}
WHOLE = {
    "page": 1,
    "bounding_box": BOX,
    "label_type": "amount",
    "label_name": "Total",
    "colour": "#a0b1c2",
    "text": "42 € \u2028 😀",
    "confidence": 0.75,
    "validation_status": "valid",
}
LEAST = {"bounding_box": BOX, "label_type": "amount", "label_name": "Total"}


@pytest.fixture
def annotations(document: dict[str, Any]) -> str:
    return f"documents/{document['id']}/annotations/"


@pytest.fixture
def annotation(person: Person, annotations: str) -> str:
    return f"{annotations}{person.post(annotations, json=WHOLE).json()['id']}/"


def test_created_annotation_is_in_the_database(
    service: Service, person: Person, document: dict[str, Any], annotations: str
) -> None:
    response = person.post(annotations, json=WHOLE)

    assert response.status_code == 201, response.text
    body = response.json()
    assert {name: body[name] for name in WHOLE} == WHOLE
    assert (body["document_id"], body["created_by"]) == (document["id"], person.id)
    assert service.rows(
        "SELECT document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour, text,"
        " confidence, validation_status, created_by FROM annotations WHERE id = %s",
        body["id"],
    ) == [
        (
            document["id"],
            1,
            10.5,
            20.0,
            30.25,
            40.0,
            "amount",
            "Total",
            "#a0b1c2",
            WHOLE["text"],
            0.75,
            "valid",
            person.id,
        )
    ]
    assert person.get(f"{annotations}{body['id']}/").json() == body


def test_omitted_fields_get_their_defaults(person: Person, annotations: str) -> None:
    body = person.post(annotations, json=LEAST | {"colour": "#ABCDEF"}).json()

    assert (body["page"], body["text"], body["confidence"]) == (1, None, None)
    assert (body["validation_status"], body["colour"]) == ("pending", "#abcdef")


def test_list_pages_from_the_newest(person: Person, annotations: str) -> None:
    ids = [person.post(annotations, json=LEAST).json()["id"] for _ in range(3)]

    first = person.get(annotations + "?limit=2").json()
    assert ([item["id"] for item in first["items"]], first["next"]) == (ids[:0:-1], ids[1])
    second = person.get(f"{annotations}?limit=2&before={first['next']}").json()
    assert ([item["id"] for item in second["items"]], second["next"]) == (ids[:1], None)


def test_document_without_annotations_lists_none(person: Person, annotations: str) -> None:
    assert person.get(annotations).json() == {"items": [], "next": None}


def test_put_replaces_everything(person: Person, annotation: str) -> None:
    body = person.call("PUT", annotation, json=LEAST | {"label_name": "Sum"}).json()

    assert (body["label_name"], body["text"], body["confidence"], body["validation_status"]) == (
        "Sum",
        None,
        None,
        "pending",
    )


def test_patch_changes_only_the_sent_fields(service: Service, person: Person, annotation: str) -> None:
    before = person.get(annotation).json()
    body = person.call("PATCH", annotation, json={"validation_status": "corrected", "bounding_box": {"x": 1}}).json()

    assert body["bounding_box"] == BOX | {"x": 1}
    assert body["updated_at"] > before["updated_at"]
    changed = {"validation_status", "bounding_box", "reviewed_at", "updated_at"}
    assert {name: body[name] for name in body.keys() - changed} == {
        name: before[name] for name in before.keys() - changed
    }
    assert service.rows("SELECT box_x, box_y FROM annotations WHERE id = %s", body["id"]) == [(1.0, 20.0)]


def test_patch_can_remove_a_text(person: Person, annotation: str) -> None:
    body = person.call("PATCH", annotation, json={"text": None, "confidence": None}).json()

    assert (body["text"], body["confidence"]) == (None, None)


def test_empty_patch_changes_nothing(person: Person, annotation: str) -> None:
    before = person.get(annotation).json()

    assert person.call("PATCH", annotation, json={}).json() == before
    assert person.call("PATCH", annotation, json={"bounding_box": {}}).json() == before


@pytest.mark.parametrize(
    ("sides", "field"),
    [
        ({"x": -0.1}, "bounding_box.x"),
        ({"y": -1}, "bounding_box.y"),
        ({"x": 90}, "bounding_box.width"),
        ({"width": 109.6}, "bounding_box.width"),
        ({"height": 60.1}, "bounding_box.height"),
        ({"width": 0}, "bounding_box.width"),
        ({"height": -5}, "bounding_box.height"),
        ({"x": 1e308, "width": 1e308}, "bounding_box.x"),
    ],
)
def test_box_off_the_page_is_refused_by_every_call(
    service: Service, person: Person, annotations: str, annotation: str, sides: dict[str, float], field: str
) -> None:
    before = person.get(annotation).json()
    for method, path, body in (
        ("POST", annotations, LEAST | {"bounding_box": BOX | sides}),
        ("PUT", annotation, LEAST | {"bounding_box": BOX | sides}),
        ("PATCH", annotation, {"bounding_box": sides}),
    ):
        assert refusal(person.call(method, path, json=body), 422, "invalid")["errors"][0]["field"] == field
    assert person.get(annotation).json() == before
    assert len(person.get(annotations).json()["items"]) == 1


def test_box_that_fills_the_page_is_accepted(person: Person, annotations: str) -> None:
    for box in ({"x": 0, "y": 0, "width": 120, "height": 80}, {"x": 119.9, "y": 0.1, "width": 0.1, "height": 79.9}):
        assert person.post(annotations, json=LEAST | {"bounding_box": box}).status_code == 201


def test_box_is_measured_against_its_own_page(person: Person, channel: int) -> None:
    document = person.upload(channel, samples.pdf([("[0 0 50 50]", ""), ("[0 0 500 500]", "")])).json()
    path = f"documents/{document['id']}/annotations/"
    wide = LEAST | {"bounding_box": {"x": 100, "y": 100, "width": 300, "height": 300}}

    refusal(person.post(path, json=wide | {"page": 1}), 422, "invalid")
    created = person.post(path, json=wide | {"page": 2})
    assert created.status_code == 201
    refusal(person.call("PATCH", f"{path}{created.json()['id']}/", json={"page": 1}), 422, "invalid")
    for page in (3, 2**31 - 1):
        body = refusal(person.post(path, json=wide | {"page": page}), 422, "invalid")
        assert body["errors"] == [{"field": "page", "message": "must be from 1 to 2, the pages of the document"}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": 2**31}, "page"),
        ({"page": 1.5}, "page"),
        ({"page": True}, "page"),
        ({"bounding_box": None}, "bounding_box"),
        ({"bounding_box": [1, 2, 3, 4]}, "bounding_box"),
        ({"bounding_box": BOX | {"x": "1"}}, "bounding_box.x"),
        ({"bounding_box": BOX | {"z": 1}}, "bounding_box.z"),
        ({"label_type": ""}, "label_type"),
        ({"label_name": "  "}, "label_name"),
        ({"label_name": "a\0b"}, "label_name"),
        ({"label_name": "n" * 201}, "label_name"),
        ({"colour": "red"}, "colour"),
        ({"colour": "#12345"}, "colour"),
        ({"colour": "#1234567"}, "colour"),
        ({"colour": "#123456\n"}, "colour"),
        ({"text": "t" * 20_001}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"confidence": -0.01}, "confidence"),
        ({"confidence": 1.01}, "confidence"),
        ({"confidence": "0.5"}, "confidence"),
        ({"validation_status": "maybe"}, "validation_status"),
        ({"created_by": 1}, "created_by"),
    ],
)
def test_invalid_value_is_refused_by_every_call(
    person: Person, annotations: str, annotation: str, change: dict[str, Any], field: str
) -> None:
    for method, path, body in (
        ("POST", annotations, LEAST | change),
        ("PUT", annotation, LEAST | change),
        ("PATCH", annotation, change),
    ):
        assert refusal(person.call(method, path, json=body), 422, "invalid")["errors"][0]["field"] == field


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_invalid_number_is_refused(person: Person, annotations: str, number: str) -> None:
    body = (
        f'{{"bounding_box": {{"x": {number}, "y": 0, "width": 1, "height": 1}}, "label_type": "a", "label_name": "b"}}'
    )
    response = person.post(annotations, data=body, headers={"Content-Type": "application/json"})

    assert response.status_code in (400, 422), response.text
    assert response.headers["Content-Type"] == "application/problem+json"


def test_deleted_annotation_is_gone(service: Service, person: Person, annotation: str) -> None:
    number = person.get(annotation).json()["id"]

    assert person.call("DELETE", annotation).status_code == 204
    assert service.rows("SELECT 1 FROM annotations WHERE id = %s", number) == []
    for method, body in (("GET", None), ("PUT", LEAST), ("PATCH", {"page": 1}), ("DELETE", None)):
        refusal(person.call(method, annotation, json=body), 404, "no_such_annotation")


def test_annotation_belongs_to_its_document(person: Person, channel: int, annotation: str) -> None:
    other = person.upload(channel, samples.image()).json()["id"]
    path = f"documents/{other}/annotations/{person.get(annotation).json()['id']}/"

    for method, body in (("GET", None), ("PUT", LEAST), ("PATCH", {"page": 1}), ("DELETE", None)):
        refusal(person.call(method, path, json=body), 404, "no_such_annotation")
    assert person.get(annotation).status_code == 200


def test_stranger_may_do_nothing(person: Person, stranger: Person, annotations: str, annotation: str) -> None:
    before = person.get(annotation).json()
    for method, path, body in (
        ("GET", annotations, None),
        ("POST", annotations, LEAST),
        ("GET", annotation, None),
        ("PUT", annotation, LEAST),
        ("PATCH", annotation, {"page": 1}),
        ("DELETE", annotation, None),
    ):
        refusal(stranger.call(method, path, json=body), 403, "not_a_member")
    assert person.get(annotation).json() == before
    refusal(person.post(f"documents/{2**62}/annotations/", json=LEAST), 404, "no_such_document")


def test_any_member_may_change(service: Service, channel: int, annotation: str) -> None:
    member = Person(service)
    member.join(channel)

    assert member.call("PATCH", annotation, json={"validation_status": "invalid"}).status_code == 200
    assert member.call("DELETE", annotation).status_code == 204


def test_annotating_a_document_during_its_deletion_is_no_failure(
    service: Service, person: Person, document: dict[str, Any], annotations: str
) -> None:
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO annotations%%'"
    )
    with ThreadPoolExecutor(1) as other:
        with service.database() as connection, connection.transaction():
            connection.execute("DELETE FROM documents WHERE id = %s", (document["id"],))
            answer = other.submit(person.post, annotations, json=LEAST)
            wait_until(lambda: service.rows(waiting) != [], "the annotation waits for the deletion")
        refusal(answer.result(), 404, "no_such_document")


def test_review_is_by_the_person_who_changes_it(person: Person, channel: int, annotations: str) -> None:
    other = Person(person.service)
    other.join(channel)
    made = person.post(annotations, json=LEAST).json()
    assert (made["reviewed_by"], made["reviewed_at"]) == (None, None)
    path = f"{annotations}{made['id']}/"

    changed = other.call("PATCH", path, json={"text": "12.00"}).json()
    assert (changed["reviewed_by"], changed["validation_status"]) == (other.id, "pending")
    approved = person.call("PATCH", path, json={"validation_status": "valid"}).json()
    assert (approved["reviewed_by"], approved["reviewed_at"] > changed["reviewed_at"]) == (person.id, True)
    given_back = person.call("PATCH", path, json={"validation_status": "pending"}).json()
    assert (given_back["reviewed_by"], given_back["reviewed_at"]) == (None, None)
    assert other.call("PUT", path, json=LEAST | {"text": "1"}).json()["reviewed_by"] == other.id


def test_annotation_that_is_made_as_approved_is_reviewed(person: Person, annotations: str) -> None:
    for status, by in (("valid", person.id), ("corrected", person.id), ("invalid", None), ("pending", None)):
        made = person.post(annotations, json=LEAST | {"validation_status": status}).json()
        assert (made["reviewed_by"], made["reviewed_at"] is not None) == (by, by is not None)
