"""Every moment in an answer or a frame is that of its row, to the microsecond, in UTC.

Protects from times that are off by an hour, or cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg

from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS, TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")


def moments(answer: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each moment in JSON data."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name.endswith("_at") or name == "timestamp":
                if value is not None:  # what has not happened has no moment
                    yield name, value
            else:
                yield from moments(value)
    elif isinstance(answer, list):
        for one in answer:
            yield from moments(one)


def test_moments_are_those_of_the_rows_in_utc(alice: User, database: Database) -> None:
    channel = alice.create_channel("private")
    path = f"/channels/{channel['id']}"
    document = alice.upload(channel["id"], f"{PREFIX}moment.png", samples.png()).expect(201)
    mark = {"label_type": "a", "label_name": "b", "bounding_box": {"x": 1, "y": 1, "width": 1, "height": 1}}
    annotation = alice.post(f"{DOCUMENTS}{document['id']}/annotations/", mark).expect(201)
    template = alice.post(TEMPLATES, {"channel_id": channel["id"], "name": f"{PREFIX}moment"}).expect(201)
    message = alice.post(f"{path}/messages", {"content": "now"}).expect(201)
    member = alice.get(f"{path}/members").expect(200)["items"][0]
    shown: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
        ("channels", channel, {"id": channel["id"]}, {}),
        ("memberships", member, {"channel_id": channel["id"], "user_id": alice.id}, {}),
        ("messages", message, {"id": message["id"]}, {"timestamp": "created_at"}),
        ("documents", document, {"id": document["id"]}, {}),
        ("annotations", annotation, {"id": annotation["id"]}, {}),
        ("templates", template, {"id": template["id"]}, {}),
    ]
    for table, answer, key, columns in shown:
        row = rows.one(database, table, **key)
        found = [*moments(answer)]
        assert found, f"{table}: the answer has no moment: {answer}"
        for name, text in found:
            assert _ISO.fullmatch(text), f"{table}: {name} is {text!r}; expected ISO 8601 in UTC"
            stored = row[columns.get(name, name)]
            assert datetime.fromisoformat(text) == stored, f"{table}: {name} is {text}; its row has {stored}"


def test_moments_in_lists_are_those_of_single_answers(alice: User) -> None:
    channel = alice.create_channel()
    path = f"/channels/{channel['id']}"
    message = alice.post(f"{path}/messages", {"content": "now"}).expect(201)
    document = alice.upload(channel["id"], f"{PREFIX}moment.png", samples.png()).expect(201)
    for listed, one in (
        ("/channels/", channel),
        (f"{path}/messages", message),
        (f"{DOCUMENTS}?channel_id={channel['id']}", document),
    ):
        (found,) = (item for item in alice.get(listed).expect(200)["items"] if item["id"] == one["id"])
        assert [*moments(found)] == [*moments(one)], f"{listed}: expected the moments of {one}, found {found}"


def test_adding_a_member_again_shows_when_they_joined(alice: User, bob: User) -> None:
    path = f"/channels/{alice.create_channel()['id']}/members"
    first = alice.post(path, {"user_id": bob.id}).expect(201)
    again = alice.post(path, {"user_id": bob.id}).expect(200)
    assert again == first, f"adding a member again: expected {first}, found {again}"
    assert alice.get(path).expect(200)["items"][0] == first


def test_a_change_is_later_than_the_creation(alice: User) -> None:
    channel = alice.create_channel("private")["id"]
    before = datetime.now(UTC)
    document = alice.upload(channel, f"{PREFIX}moment.png", samples.png()).expect(201)
    assert document["created_at"] == document["updated_at"]
    assert abs((datetime.fromisoformat(document["created_at"]) - before).total_seconds()) < 60
    renamed = alice.patch(f"{DOCUMENTS}{document['id']}/", {"filename": f"{PREFIX}later.png"}).expect(200)
    assert renamed["created_at"] == document["created_at"] < renamed["updated_at"]
