"""Listing, renaming and deleting documents."""

from __future__ import annotations

from typing import Any

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal


def _ids(response: Any) -> list[int]:
    return [item["id"] for item in response.json()["items"]]


def test_list_pages_from_the_newest(person: Person, channel: int) -> None:
    ids = [person.upload(channel, samples.image()).json()["id"] for _ in range(5)]
    newest = ids[::-1]

    first = person.get(f"documents/?channel_id={channel}&limit=2")
    assert (_ids(first), first.json()["next"]) == (newest[:2], newest[1])
    second = person.get(f"documents/?channel_id={channel}&limit=2&before={newest[1]}")
    assert (_ids(second), second.json()["next"]) == (newest[2:4], newest[3])
    last = person.get(f"documents/?channel_id={channel}&limit=2&before={newest[3]}")
    assert (_ids(last), last.json()["next"]) == (newest[4:], None)
    assert first.json()["items"][0] == person.get(f"documents/{newest[0]}/").json()


def test_list_shows_one_channel(person: Person, channel: int) -> None:
    other = person.create_channel()
    person.upload(other, samples.image())

    assert person.get(f"documents/?channel_id={channel}").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "channel_id"),
        ("channel_id=", "channel_id"),
        ("channel_id=x", "channel_id"),
        ("channel_id=0", "channel_id"),
        ("channel_id=%00", "channel_id"),
        ("channel_id=1&limit=0", "limit"),
        ("channel_id=1&limit=101", "limit"),
        ("channel_id=1&limit=-1", "limit"),
        ("channel_id=1&before=0", "before"),
        ("channel_id=1&before=1.5", "before"),
        ("channel_id=1&before=" + "9" * 40, "before"),
    ],
)
def test_invalid_query_is_refused(person: Person, query: str, field: str) -> None:
    body = refusal(person.get(f"documents/?{query}"), 422, "invalid")

    assert body["errors"][0]["field"] == field


def test_stranger_sees_nothing(person: Person, stranger: Person, channel: int, document: dict[str, Any]) -> None:
    refusal(stranger.get(f"documents/?channel_id={channel}"), 403, "not_a_member")
    refusal(stranger.get(f"documents/{document['id']}/"), 403, "not_a_member")
    refusal(person.get(f"documents/?channel_id={2**62}"), 404, "no_such_channel")
    refusal(person.get(f"documents/{2**62}/"), 404, "no_such_document")


@pytest.mark.parametrize("odd", ["0", "-1", "x", "9" * 19, "9" * 60, "1.0", "%00", "1%20", "１"])
def test_invalid_id_is_no_document(person: Person, odd: str) -> None:
    refusal(person.get(f"documents/{odd}/"), 404, "no_such_address")


def test_rename_cleans_the_name(service: Service, person: Person, document: dict[str, Any]) -> None:
    response = person.call("PATCH", f"documents/{document['id']}/", json={"filename": "../new\t name.png"})

    assert response.status_code == 200, response.text
    assert response.json()["filename"] == "new name.png"
    assert response.json()["updated_at"] > str(document["updated_at"])
    assert service.rows("SELECT filename FROM documents WHERE id = %s", document["id"]) == [("new name.png",)]


@pytest.mark.parametrize(
    "body", [{}, {"filename": ""}, {"filename": 3}, {"filename": "a\0"}, {"filename": "a", "size": 1}, [], "x"]
)
def test_invalid_rename_is_refused(person: Person, document: dict[str, Any], body: Any) -> None:
    refusal(person.call("PATCH", f"documents/{document['id']}/", json=body), 422, "invalid")


def test_stranger_may_not_change(stranger: Person, document: dict[str, Any]) -> None:
    path = f"documents/{document['id']}/"

    refusal(stranger.call("PATCH", path, json={"filename": "mine"}), 403, "not_a_member")
    refusal(stranger.call("DELETE", path), 403, "not_a_member")


def test_delete_includes_everything_of_the_document(service: Service, person: Person, document: dict[str, Any]) -> None:
    box = {"x": 0, "y": 0, "width": 1, "height": 1}
    person.post(
        f"documents/{document['id']}/annotations/", json={"bounding_box": box, "label_type": "a", "label_name": "b"}
    )
    assert person.call("DELETE", f"documents/{document['id']}/").status_code == 204

    for table, column in (("documents", "id"), ("annotations", "document_id")):
        assert service.rows(f"SELECT 1 FROM {table} WHERE {column} = %s", document["id"]) == []
    refusal(person.call("DELETE", f"documents/{document['id']}/"), 404, "no_such_document")


def test_only_uploader_creator_and_operator_may_delete(service: Service, person: Person, channel: int) -> None:
    uploader, member, operator = Person(service), Person(service), Person(service, is_operator=True)
    for other in (uploader, member, operator):
        other.join(channel)

    def uploaded() -> str:
        return f"documents/{uploader.upload(channel, samples.image()).json()['id']}/"

    refusal(member.call("DELETE", uploaded()), 403, "forbidden")
    for allowed in (uploader, person, operator):
        assert allowed.call("DELETE", uploaded()).status_code == 204


def test_operator_needs_the_membership_too(service: Service, document: dict[str, Any]) -> None:
    operator = Person(service, is_operator=True)

    refusal(operator.call("DELETE", f"documents/{document['id']}/"), 403, "not_a_member")
