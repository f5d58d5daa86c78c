"""The WebSocket contract, with two clients.

Protects from clients whose live connection does not do what it is documented to do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from plumbline.verification.checks import findings, rows
from plumbline.verification.checks.client import User

Database = psycopg.Connection[dict[str, Any]]
MESSAGE_FIELDS = {"id", "content", "image_url", "sender_id", "username", "display_name", "channel_id", "timestamp"}


@pytest.fixture
def shared(alice: User, bob: User) -> dict[str, Any]:
    channel = alice.create_channel()
    assert bob.post(f"/channels/{channel['id']}/join").status < 300
    return channel


def test_a_posted_message_reaches_both_members_with_all_fields(
    alice: User, bob: User, shared: dict[str, Any], database: Database
) -> None:
    """Protects from messages that arrive late, in part, or at one member only."""
    with alice.socket() as hers, bob.socket() as his:
        posted = alice.post(f"/channels/{shared['id']}/messages", {"content": "hello"}).expect(201)
        for socket in (hers, his):
            frame = socket.wait_for("message", id=posted["id"])
            assert frame.keys() >= MESSAGE_FIELDS
            assert {name: frame[name] for name in MESSAGE_FIELDS} == {name: posted[name] for name in MESSAGE_FIELDS}
            row = rows.one(database, "messages", id=frame["id"])
            assert {name: frame[name] for name in ("content", "image_url", "sender_id", "channel_id")} == {
                "content": "hello", "image_url": None, "sender_id": alice.id, "channel_id": shared["id"],
            }  # fmt: skip
            assert {name: row[name] for name in ("content", "image_url", "sender_id", "channel_id")} == {
                name: frame[name] for name in ("content", "image_url", "sender_id", "channel_id")
            }
            assert datetime.fromisoformat(frame["timestamp"]) == row["created_at"]


def test_a_socket_gets_events_of_channels_joined_later(alice: User, bob: User, database: Database) -> None:
    """Protects from users who have to connect again after they have joined a channel."""
    with bob.socket() as his:
        channel = alice.create_channel()
        bob.post(f"/channels/{channel['id']}/join")
        welcome = his.wait_for("message", channel_id=channel["id"], sender_id=None)
        row = rows.one(database, "messages", id=welcome["id"])
        assert (row["target_user_id"], row["sender_id"], row["content"]) == (bob.id, None, welcome["content"])
        assert welcome["target_user_id"] == bob.id
        posted = alice.post(f"/channels/{channel['id']}/messages", {"content": "welcome"}).expect(201)
        his.wait_for("message", id=posted["id"])


def test_join_and_leave_are_announced(alice: User, bob: User, database: Database) -> None:
    channel = alice.create_channel()
    with alice.socket() as hers:
        bob.post(f"/channels/{channel['id']}/join")
        frame = hers.wait_for("join", channel_id=channel["id"], user_id=bob.id)
        assert (frame["username"], frame["channel_name"]) == (bob.username, channel["name"])
        assert frame["display_name"] == rows.one(database, "users", id=bob.id)["display_name"]
        assert len(rows.many(database, "memberships", channel_id=channel["id"], user_id=bob.id)) == 1
        bob.post(f"/channels/{channel['id']}/leave")
        hers.wait_for("leave", channel_id=channel["id"], user_id=bob.id)
        assert rows.many(database, "memberships", channel_id=channel["id"], user_id=bob.id) == []


def test_relayed_frames_reach_every_member_unchanged_and_are_not_stored(
    alice: User, bob: User, shared: dict[str, Any], database: Database
) -> None:
    relay = {"type": "message", "channel_id": shared["id"], "content": "fleeting", "extra": {"kept": [1, 2]}}
    with alice.socket() as hers, bob.socket() as his:
        hers.send(relay)
        for socket in (hers, his):
            assert socket.wait_for("message", content="fleeting") == relay
    assert rows.many(database, "messages", channel_id=shared["id"], content="fleeting") == []


def test_typing_frames_name_the_user(alice: User, bob: User, shared: dict[str, Any]) -> None:
    """Protects from a user who seems to be another one while typing."""
    with alice.socket() as hers, bob.socket() as his:
        hers.send({"type": "typing", "channel_id": shared["id"]})
        his.wait_for("typing", channel_id=shared["id"], user_id=alice.id)


def test_ping_is_answered_to_the_sender_only(alice: User, bob: User, shared: dict[str, Any]) -> None:
    """Protects from clients that get answers which they have not asked for."""
    with alice.socket() as hers, bob.socket() as his:
        hers.send({"type": "ping", "payload": {"sent_at_ms": 12345}})
        pong = hers.wait_for("pong", payload={"sent_at_ms": 12345})
        assert "timestamp" in pong
        alice.post(f"/channels/{shared['id']}/messages", {"content": "after the ping"}).expect(201)
        his.wait_for("message", content="after the ping")
        pongs = [frame for frame in his.received if frame["type"] == "pong"]
        assert not pongs, f"backend: another member received the answer to a ping, expected the sender alone: {pongs}"


def test_only_members_can_send_frames_to_a_channel(alice: User, bob: User) -> None:
    channel = alice.create_channel("private")
    with alice.socket() as hers, bob.socket() as his:
        his.send({"type": "message", "channel_id": channel["id"], "content": "intruder"})
        his.wait_for("error")
        alice.post(f"/channels/{channel['id']}/messages", {"content": "quiet here"}).expect(201)
        hers.wait_for("message", content="quiet here")
        assert "intruder" not in str(hers.received)


@pytest.mark.parametrize(
    "frame",
    ["not json", "[]", "null", '{"type": 7}', '{"type":"unknown"}', '{"type":"message"}',
     '{"type":"message","channel_id":"x"}', '{"type":"typing","channel_id":1e400}',
     '{"type":"ping","payload":' + "[" * 5000 + "]" * 5000 + "}", b"\x00\xff"],
    ids=["text", "list", "null", "type-number", "type-unknown", "no-channel", "channel-word", "infinity", "deep",
         "binary"],
)  # fmt: skip
def test_a_bad_frame_gets_an_error_and_the_socket_stays_open(alice: User, frame: str | bytes) -> None:
    """Protects from one wrong frame that ends the whole connection."""
    with alice.socket() as hers:
        hers.send(frame)
        error = hers.wait_for("error")
        assert error["code"]
        assert error["detail"]
        hers.send({"type": "ping", "payload": {"sent_at_ms": 1}})
        hers.wait_for("pong")


def test_a_frame_that_is_too_large_closes_the_socket(alice: User) -> None:
    with alice.socket() as hers:
        hers.send("x" * 70_000)
        with findings.refused(
            "backend: a frame of 70,000 bytes", by=ConnectionClosed, saying="received 1009",
            then="services/backend/backend/routes/live.py limits frames",
        ):  # fmt: skip
            hers.wait_for("error")


def test_the_handshake_needs_the_users_session_and_a_known_origin(alice: User, bob: User) -> None:
    bearer = {"Authorization": f"Bearer {alice.token}"}
    cases: list[dict[str, Any]] = [
        {"additional_headers": {}},
        {"user_id": bob.id},
        {"additional_headers": {"Authorization": "Bearer forged"}},
        {"additional_headers": bearer, "origin": "https://elsewhere.example"},
    ]
    for case in cases:
        shown = {name: value for name, value in case.items() if name != "additional_headers"} or case
        with findings.refused(
            f"backend: a socket of alice with {shown}", by=InvalidStatus, saying="HTTP 40[13]",
            then="services/backend/backend/routes/live.py admits sockets",
        ), alice.socket(**case):  # fmt: skip
            pass


def test_the_cookie_opens_the_socket(alice: User) -> None:
    with alice.socket(additional_headers={"Cookie": f"access_token={alice.token}"}, origin=alice.base_url) as hers:
        hers.send({"type": "ping", "payload": {"sent_at_ms": 5}})
        hers.wait_for("pong")
