"""Channels, members, direct channels and messages, over HTTP and in the database.

Protects from messages and members that are lost, changed or mixed up between channels.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows
from plumbline.verification.checks.client import User

Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def channel(alice: User) -> dict[str, Any]:
    return alice.create_channel()


def test_channel_and_membership_are_stored(alice: User, channel: dict[str, Any], database: Database) -> None:
    """Protects from channels that are gone after a restart, or that their creator cannot open."""
    row = rows.one(database, "channels", id=channel["id"])
    assert (row["name"], row["type"], row["created_by"]) == (channel["name"], "public", alice.id)
    assert rows.one(database, "memberships", channel_id=channel["id"], user_id=alice.id)["joined_at"]


def test_public_names_are_unique_and_need_a_hash(bob: User, channel: dict[str, Any]) -> None:
    """Protects from two public channels that cannot be told apart."""
    bob.post("/channels/", {"name": channel["name"].upper(), "type": "public"}).expect_problem(409)
    bob.post("/channels/", {"name": "no-hash", "type": "public"}).expect_problem(422)


def test_a_message_is_stored_unchanged(alice: User, channel: dict[str, Any], database: Database) -> None:
    before = datetime.now(UTC)
    said = {"content": "Grüße — 你好 🚀", "image_url": "https://example.org/a.png"}
    message = alice.post(f"/channels/{channel['id']}/messages", said).expect(201)
    row = rows.one(database, "messages", id=message["id"])
    assert (row["content"], row["image_url"]) == (said["content"], said["image_url"])
    assert (row["channel_id"], row["sender_id"], row["target_user_id"]) == (channel["id"], alice.id, None)
    assert abs((row["created_at"] - before).total_seconds()) < 60
    listed = alice.get(f"/channels/{channel['id']}/messages").expect(200)["items"]
    assert listed[-1]["content"] == said["content"]


def test_message_pages_have_no_gaps_or_repeats(alice: User, database: Database) -> None:
    channel = alice.create_channel("private")
    path = f"/channels/{channel['id']}/messages"
    sent = [alice.post(path, {"content": f"number {number}"}).expect(201)["id"] for number in range(7)]
    pages = list(alice.pages(path, limit=3))
    for page in pages:
        ids = [one["id"] for one in page]
        assert ids == sorted(ids), "expected the oldest first inside a page"
    seen = [one["id"] for page in reversed(pages) for one in page if one["sender_id"] is not None]
    assert seen == sent
    stored = sorted(rows.many(database, "messages", channel_id=channel["id"]), key=lambda row: row["id"])
    assert [row["content"] for row in stored if row["sender_id"] == alice.id] == [f"number {n}" for n in range(7)]
    shown = {one["id"]: one["content"] for page in pages for one in page}
    assert shown == {row["id"]: row["content"] for row in stored}


def test_others_cannot_read_write_or_find_a_private_channel(alice: User, bob: User) -> None:
    channel = alice.create_channel("private")
    path = f"/channels/{channel['id']}"
    bob.post(f"{path}/messages", {"content": "let me in"}).expect_problem(403)
    bob.get(f"{path}/messages").expect_problem(403)
    bob.get(f"{path}/members").expect_problem(403)
    found = bob.get("/channels/search", name=channel["name"]).expect(200)["items"]
    assert channel["id"] not in [one["id"] for one in found]
    assert channel["id"] in [
        one["id"] for one in alice.get("/channels/search", name=channel["name"]).expect(200)["items"]
    ]


def test_lists_show_no_private_channels_of_others(alice: User, bob: User) -> None:
    channel = alice.create_channel("private")
    for user, shown in ((alice, True), (bob, False)):
        newest = user.get("/channels/", limit=100).expect(200)["items"]
        assert (channel["id"] in [one["id"] for one in newest]) is shown, f"{user.username}: {newest[:3]}"


def test_join_and_leave_change_the_memberships(bob: User, channel: dict[str, Any], database: Database) -> None:
    """Protects from members who cannot leave, or who read on after they have left."""
    assert bob.post(f"/channels/{channel['id']}/join").status < 300
    assert len(rows.many(database, "memberships", channel_id=channel["id"], user_id=bob.id)) == 1
    members = bob.get(f"/channels/{channel['id']}/members").expect(200)["items"]
    assert bob.username in [member["username"] for member in members]
    assert bob.post(f"/channels/{channel['id']}/leave").status < 300
    assert rows.many(database, "memberships", channel_id=channel["id"], user_id=bob.id) == []


def test_two_users_have_one_direct_channel(alice: User, bob: User, database: Database) -> None:
    there = alice.post(f"/channels/dm/{bob.id}")
    back = bob.post(f"/channels/dm/{alice.id}")
    assert there.status < 300, there.body
    assert back.status < 300, back.body
    assert there.json == back.json, f"backend: one opens {there.json}, the other {back.json}; expected the same"
    found = [there.json[name] for name in ("name", "type", "is_direct", "created_by")]
    expected = [f"{alice.username}, {bob.username}", "private", True, alice.id]
    assert found == expected, f"backend: a direct channel has {found}; expected {expected}"
    members = {row["user_id"] for row in rows.many(database, "memberships", channel_id=there.json["id"])}
    assert members == {alice.id, bob.id}
    assert rows.one(database, "channels", id=there.json["id"])["type"] == "private"


def test_the_welcome_is_stored_and_shown_to_its_user_only(alice: User, bob: User, database: Database) -> None:
    """Protects from personal messages that others read."""
    channel = alice.create_channel()
    bob.post(f"/channels/{channel['id']}/join")
    welcomes = [row for row in rows.many(database, "messages", channel_id=channel["id"]) if row["sender_id"] is None]
    assert {row["target_user_id"] for row in welcomes} == {alice.id, bob.id}
    for user in (alice, bob):
        listed = user.get(f"/channels/{channel['id']}/messages").expect(200)["items"]
        (stored,) = [row for row in welcomes if row["target_user_id"] == user.id]
        assert [(one["target_user_id"], one["content"]) for one in listed if one["sender_id"] is None] == [
            (user.id, stored["content"])
        ]
        assert channel["name"] in stored["content"]


@pytest.mark.parametrize(
    "body",
    [{"content": ""}, {"content": "a\0b"}, {"content": 7}, {}, {"content": "x" * 100_000},
     {"content": "x", "image_url": "javascript:alert(1)"},
     {"content": "x", "image_url": "javascript://host/%0aalert(1)"},
     {"content": "x", "image_url": "//elsewhere.example/a.png"}],
    ids=["empty", "nul", "number", "nothing", "huge", "script-url", "script-url-with-host", "no-scheme"],
)  # fmt: skip
def test_invalid_messages_are_refused(alice: User, channel: dict[str, Any], body: dict[str, Any]) -> None:
    answer = alice.post(f"/channels/{channel['id']}/messages", body)
    answer.expect_problem(413 if answer.status == 413 else 422)


@pytest.mark.parametrize("channel_id", [2**62, 2**70, 0, "x"])
def test_unknown_channels_are_not_found(alice: User, channel_id: object) -> None:
    """Protects from calls about channels that do not exist, and that seem to work."""
    answer = alice.get(f"/channels/{channel_id}/messages")
    answer.expect_problem(422 if answer.status == 422 else 404)
