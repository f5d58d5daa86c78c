"""The creator of a channel renames it and removes members, over HTTP and in the database.

Protects from members who rename channels or remove others without being allowed to.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows
from plumbline.verification.checks.client import User

Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def room(alice: User, bob: User) -> dict[str, Any]:
    """A channel of alice with bob as a member."""
    channel = alice.create_channel()
    bob.post(f"/channels/{channel['id']}/join").expect(200)
    return channel


def test_renaming_changes_the_name_of_that_channel_alone(alice: User, room: dict[str, Any], database: Database) -> None:
    other = alice.create_channel()
    before = {one["id"]: rows.one(database, "channels", id=one["id"]) for one in (room, other)}
    name = f"{room['name']}-new"
    assert alice.patch(f"/channels/{room['id']}", {"name": name}).expect(200) == room | {"name": name}
    assert rows.one(database, "channels", id=room["id"]) == before[room["id"]] | {"name": name}
    assert rows.one(database, "channels", id=other["id"]) == before[other["id"]]
    found = alice.get("/channels/search", name=name).expect(200)["items"]
    assert [one["id"] for one in found] == [room["id"]]


def test_a_name_that_is_taken_or_not_public_is_refused(alice: User, room: dict[str, Any], database: Database) -> None:
    taken = alice.create_channel()["name"]
    for name, status, code in ((taken.upper(), 409, "channel_exists"), (taken.lstrip("#"), 422, "invalid")):
        assert alice.patch(f"/channels/{room['id']}", {"name": name}).expect_problem(status)["code"] == code
    assert rows.one(database, "channels", id=room["id"])["name"] == room["name"]


def test_only_the_creator_renames_a_channel_and_removes_others(
    alice: User, bob: User, room: dict[str, Any], database: Database
) -> None:
    member = f"/channels/{room['id']}/members/{alice.id}"
    refused = bob.patch(f"/channels/{room['id']}", {"name": f"{room['name']}-bob"}), bob.delete(member)
    assert [one.expect_problem(403)["code"] for one in refused] == ["not_the_creator"] * 2
    assert rows.one(database, "channels", id=room["id"])["name"] == room["name"]
    assert len(rows.many(database, "memberships", channel_id=room["id"])) == 2


def test_a_removed_member_loses_access_and_may_join_again(
    alice: User, bob: User, room: dict[str, Any], database: Database
) -> None:
    other = alice.create_channel()
    bob.post(f"/channels/{other['id']}/join").expect(200)
    said = bob.post(f"/channels/{room['id']}/messages", {"content": "still here"}).expect(201)
    assert alice.delete(f"/channels/{room['id']}/members/{bob.id}").status == 204
    left = rows.many(database, "memberships", channel_id=room["id"])
    assert [row["user_id"] for row in left] == [alice.id]
    assert len(rows.many(database, "memberships", channel_id=other["id"], user_id=bob.id)) == 1
    assert rows.one(database, "messages", id=said["id"])["sender_id"] == bob.id
    bob.get(f"/channels/{room['id']}/messages").expect_problem(403)
    bob.get("/data-processor/documents/", channel_id=room["id"]).expect_problem(403)
    again = alice.delete(f"/channels/{room['id']}/members/{bob.id}")
    assert again.expect_problem(404)["code"] == "no_such_member"
    bob.post(f"/channels/{room['id']}/join").expect(200)
