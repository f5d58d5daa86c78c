"""The WebSocket contract, with real clients."""

from __future__ import annotations

import contextlib
import socket as sockets
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import redis
import websockets
from servicekit.events import Event, encode
from servicekit.facts import EVENTS_CHANNEL, INTERNAL_HEADER
from websockets.sync.client import connect

from plumbline.verification.throwaway import INTERNAL_SECRET, THROUGH_CADDY, PostgresServer, RedisServer, wait_until

from .conftest import TIMEOUT_S, Backend, User, frames_before_pong, frames_until

NewUser = Callable[[], User]


@pytest.fixture
def other_backend(
    backend: Backend, tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Backend]:
    """Another server of the same stack, so another process than those of `backend`."""
    server = Backend(tmp_path, postgres_server, redis_server.url, workers=1, socket_queue=8)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def said(frame: dict[str, Any]) -> bool:
    return frame["type"] == "message" and frame.get("sender_id") is not None


def test_a_message_reaches_members_in_every_process(
    backend: Backend, other_backend: Backend, new_user: NewUser
) -> None:
    sender, near, far, stranger = new_user(), new_user(), new_user(), new_user()
    channel = sender.channel()["id"]
    with (
        sender.socket() as own,
        near.socket() as first,
        far.socket(other_backend.url) as second,
        stranger.socket() as outside,
    ):
        # Joined after their sockets were opened.
        near.post(f"/channels/{channel}/join")
        far.post(f"/channels/{channel}/join")
        posted = sender.post_message(channel, "to all of you 😀")
        for socket in (own, first, second):
            frame = frames_until(socket, said)[-1]
            assert frame == {"type": "message", **posted}
        assert frames_before_pong(outside) == []


def test_join_and_leave_are_announced_and_the_welcome_is_personal(new_user: NewUser) -> None:
    owner, guest = new_user(), new_user()
    with owner.socket() as own, guest.socket() as theirs:
        channel = owner.channel()
        assert [frame["target_user_id"] for frame in frames_until(own, lambda f: f["type"] == "message")] == [owner.id]
        guest.post(f"/channels/{channel['id']}/join")
        joined = {
            "type": "join",
            "user_id": guest.id,
            "username": guest.name,
            "display_name": guest.name,
            "channel_id": channel["id"],
            "channel_name": channel["name"],
        }
        join, welcome = frames_until(theirs, lambda frame: frame["type"] == "message")
        assert join == joined
        (stored,) = guest.get(f"/channels/{channel['id']}/messages").json()["items"]
        assert welcome == {"type": "message", **stored}
        assert (welcome["sender_id"], welcome["target_user_id"]) == (None, guest.id)
        assert frames_until(own, lambda frame: frame["type"] == "join") == [joined]
        guest.post(f"/channels/{channel['id']}/leave")
        assert frames_until(own, lambda frame: frame["type"] == "leave") == [joined | {"type": "leave"}]
        owner.post_message(channel["id"], "now we are alone")
        frames_until(own, said)
        assert [frame for frame in frames_before_pong(theirs) if said(frame)] == []


def test_relayed_frames_reach_every_member_unchanged_and_are_not_stored(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    one, other = new_user(), new_user()
    channel = one.channel("private")["id"]
    one.post(f"/channels/{channel}/members", {"user_id": other.id})
    relayed = {"type": "message", "channel_id": channel, "content": "passing by", "own": [1.5, {"deep": None}]}
    with one.socket() as mine, other.socket() as theirs:
        mine.send(orjson.dumps(relayed).decode())
        mine.send(orjson.dumps({"type": "typing", "channel_id": channel, "user_id": 1}).decode())
        for socket in (mine, theirs):
            expected = [relayed, {"type": "typing", "channel_id": channel, "user_id": one.id}]
            frames = frames_until(socket, lambda frame: frame["type"] == "typing")
            # The join events take another path and may arrive in between.
            assert [frame for frame in frames if frame in expected] == expected
    stored = sql.execute("SELECT 1 FROM messages WHERE channel_id = %s AND content = 'passing by'", (channel,))
    assert stored.fetchone() is None


@pytest.mark.parametrize("kind", ["message", "typing"])
@pytest.mark.parametrize(
    "claimed",
    [
        {"sender_id": None},
        {"sender_id": 1, "username": "operator"},
        {"user_id": 1, "display_name": "Operator", "target_user_id": 7, "id": 3},
        {"username": {"deep": 1}, "sender_id": [1]},
    ],
)
def test_a_relayed_frame_names_its_true_sender_and_keeps_its_shape(
    new_user: NewUser, kind: str, claimed: dict[str, Any]
) -> None:
    one, other = new_user(), new_user()
    channel = one.channel()["id"]
    other.post(f"/channels/{channel}/join")
    sent = {"type": kind, "channel_id": channel, "content": "claimed", **claimed}
    true = {"sender_id": one.id, "user_id": one.id, "username": one.name, "display_name": one.name}
    expected = sent | {name: true[name] for name in true if name in sent}
    if kind == "typing":
        expected["user_id"] = one.id
    with one.socket() as mine, other.socket() as theirs:
        mine.send(orjson.dumps(sent).decode())
        for socket in (mine, theirs):
            assert frames_until(socket, lambda frame: frame.get("content") == "claimed")[-1] == expected


def test_a_ping_gets_a_pong(new_user: NewUser) -> None:
    with new_user().socket() as socket:
        socket.send('{"type": "ping", "payload": {"sent_at_ms": 1700000000123.5}}')
        pong = orjson.loads(socket.recv(timeout=TIMEOUT_S))
    assert sorted(pong) == ["payload", "timestamp", "type"]
    assert (pong["type"], pong["payload"]) == ("pong", {"sent_at_ms": 1700000000123.5})


BAD_FRAMES = [
    ("{", "invalid_json"),
    ("", "invalid_json"),
    ("NaN", "invalid_json"),
    ('"\\ud800"', "invalid_json"),
    ("[" * 5000, "invalid_json"),
    ("[]", "invalid_frame"),
    ('{"type": 5}', "invalid_frame"),
    ('{"type": "nonsense"}', "unknown_type"),
    ('{"type": "ping"}', "invalid_frame"),
    ('{"type": "ping", "payload": {"sent_at_ms": true}}', "invalid_frame"),
    ('{"type": "typing"}', "invalid_frame"),
    ('{"type": "typing", "channel_id": true}', "invalid_frame"),
    ('{"type": "typing", "channel_id": 9223372036854775808}', "invalid_frame"),
    ('{"type": "message", "channel_id": 9223372036854775807}', "not_a_member"),
    (b'{"type": "ping"}', "binary_frame"),
]


@pytest.mark.parametrize(("frame", "code"), BAD_FRAMES)
def test_a_bad_frame_gets_an_error_frame_and_the_socket_stays_open(
    backend: Backend, new_user: NewUser, frame: str | bytes, code: str
) -> None:
    user = new_user()
    with user.socket() as socket:
        socket.send(frame)
        (error,) = frames_before_pong(socket)
    assert (error["type"], error["code"]) == ("error", code)
    backend.wait_for_entries("the frame", message="bad frame", level="warning", fields=f"'user_id': {user.id}}}")


def test_a_frame_nested_too_deeply_is_refused_and_no_other_is_lost(new_user: NewUser) -> None:
    sender, hostile = new_user(), new_user()
    channel = sender.channel()["id"]
    hostile.post(f"/channels/{channel}/join")
    levels = "[" * 900 + "]" * 900
    with sender.socket() as mine, hostile.socket() as theirs:
        for number in range(20):
            mine.send(orjson.dumps({"type": "message", "channel_id": channel, "content": number}).decode())
            theirs.send(f'{{"type": "message", "channel_id": {channel}, "deep": {levels}}}')
        frames = frames_until(mine, lambda frame: frame.get("content") == 19)
        assert [frame["content"] for frame in frames if isinstance(frame.get("content"), int)] == list(range(20))
        refused = [frame for frame in frames_before_pong(theirs) if frame["type"] == "error"]
    assert [frame["code"] for frame in refused] == ["invalid_frame"] * 20


def test_frames_to_channels_of_others_are_refused(new_user: NewUser) -> None:
    insider, outsider = new_user(), new_user()
    channel = insider.channel()["id"]
    with insider.socket() as inside, outsider.socket() as outside:
        for type_ in ("message", "typing"):
            outside.send(orjson.dumps({"type": type_, "channel_id": channel}).decode())
        assert [frame["code"] for frame in frames_before_pong(outside)] == ["not_a_member"] * 2
        assert frames_before_pong(inside) == []


def test_the_handshake_needs_the_users_own_session_and_an_allowed_origin(backend: Backend, new_user: NewUser) -> None:
    user, other = new_user(), new_user()
    place = backend.url.replace("http", "ws", 1)
    cookie = {"Cookie": f"access_token={user.token}"}
    expired = user.token_for(backend.token_secret, -1)
    refused: list[tuple[int, dict[str, str], int]] = [
        (user.id, {}, 401),
        (user.id, {"Authorization": "Bearer nonsense"}, 401),
        (user.id, {"Authorization": f"Bearer {expired}"}, 401),
        (other.id, cookie, 403),
        (user.id, {**cookie, "Origin": "https://elsewhere.example"}, 403),
        (user.id, {**cookie, "Origin": "null"}, 403),
        (user.id, {**cookie, "Origin": "http://["}, 403),
    ]
    for user_id, headers, status in refused:
        with pytest.raises(websockets.InvalidStatus) as caught:
            connect(f"{place}/ws/{user_id}", additional_headers=THROUGH_CADDY | headers, proxy=None)
        assert caught.value.response.status_code == status, headers
        assert orjson.loads(caught.value.response.body)["status"] == status, headers
    for headers in (cookie, {"Authorization": f"Bearer {user.token}"}, {**cookie, "Origin": backend.url}):
        with connect(f"{place}/ws/{user.id}", additional_headers=THROUGH_CADDY | headers, proxy=None) as socket:
            assert frames_before_pong(socket) == []


@pytest.mark.parametrize("frame", ['{"type": "' + "x" * 70_000 + '"}', "ä" * 40_000, b"x" * 70_000])
def test_an_oversized_frame_closes_its_socket_with_1009_and_no_other(new_user: NewUser, frame: str | bytes) -> None:
    user = new_user()
    with user.socket() as own, user.socket() as other:
        own.send(frame)
        with pytest.raises(websockets.ConnectionClosed):
            own.recv(timeout=TIMEOUT_S)
        assert own.protocol.close_code == 1009
        assert own.protocol.close_reason == "a frame may have 65536 bytes at most"
        assert frames_before_pong(other) == []


def open_raw(address: Backend, user: User) -> sockets.socket:
    raw = sockets.create_connection(("127.0.0.1", address.port), TIMEOUT_S)
    raw.sendall(
        f"GET /ws/{user.id} HTTP/1.1\r\nHost: localhost:{address.port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\nCookie: access_token={user.token}\r\n\r\n".encode()
    )
    assert b"101" in raw.recv(4096)
    return raw


def test_a_frame_over_granians_limit_closes_the_socket_with_1009_at_its_header(
    backend: Backend, new_user: NewUser
) -> None:
    with closing(open_raw(backend, new_user())) as raw:
        # Only the header of a text frame of 17 MiB.
        raw.sendall(b"\x81\xff" + (17 * 1024 * 1024).to_bytes(8, "big") + bytes(4))
        with raw.makefile("rb") as stream:
            opcode, length = stream.read(2)
            assert opcode == 0x88
            assert int.from_bytes(stream.read(length)[:2], "big") == 1009


def test_the_sockets_of_a_deleted_user_are_closed(
    backend: Backend, new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    gone, other = new_user(), new_user()
    with gone.socket() as theirs, other.socket() as mine:
        sql.execute("DELETE FROM users WHERE id = %s", (gone.id,))
        with pytest.raises(websockets.ConnectionClosed):
            theirs.recv(timeout=TIMEOUT_S)
        assert theirs.protocol.close_code == 4401
        assert frames_before_pong(mine) == []
    with pytest.raises(websockets.InvalidStatus) as refused:
        gone.socket()
    assert refused.value.response.status_code == 401


def test_the_socket_is_closed_when_the_session_expires(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    short = user.token_for(backend.token_secret, 2)
    place = backend.url.replace("http", "ws", 1)
    bearer = THROUGH_CADDY | {"Authorization": f"Bearer {short}"}
    with (
        connect(f"{place}/ws/{user.id}", additional_headers=bearer, proxy=None) as socket,
        pytest.raises(websockets.ConnectionClosed),
    ):
        socket.recv(timeout=TIMEOUT_S)
    assert socket.protocol.close_code == 4401


def test_a_client_that_does_not_read_is_closed_and_delays_no_other(other_backend: Backend, new_user: NewUser) -> None:
    sender, reader, sleeper = new_user(), new_user(), new_user()
    channel = sender.channel()["id"]
    for user in (reader, sleeper):
        user.post(f"/channels/{channel}/join")
    with (
        closing(open_raw(other_backend, sleeper)),
        sender.socket(other_backend.url) as mine,
        reader.socket(other_backend.url) as theirs,
    ):
        frame = orjson.dumps({"type": "message", "channel_id": channel, "content": "x" * 60_000}).decode()

        def closed() -> bool:
            mine.send(frame)
            for socket in (mine, theirs):
                # Join events may still arrive.
                frames_until(socket, lambda frame: frame.get("content") == "x" * 60_000)
            return bool(other_backend.logged("does not read", "warning"))

        wait_until(closed, "the slow client's socket is closed")
        assert sender.post_message(channel, "we go on")["id"]
        assert frames_until(theirs, said)[-1]["content"] == "we go on"


def test_abrupt_disconnects_never_fail_a_sender(new_user: NewUser) -> None:
    sender = new_user()
    channel = sender.channel()["id"]
    passers = [new_user() for _ in range(3)]
    for user in passers:
        user.post(f"/channels/{channel}/join")
    for number in range(60):
        with passers[number % 3].socket() as socket:
            socket.socket.shutdown(sockets.SHUT_RDWR)
            sender.post_message(channel, f"number {number}")


def test_unreadable_events_are_logged_and_the_next_one_arrives(
    backend: Backend, redis_server: RedisServer, new_user: NewUser
) -> None:
    user = new_user()
    channel = user.channel()["id"]
    with user.socket() as socket, redis.Redis.from_url(redis_server.admin_url) as client:
        for junk in (b"junk", b"{}", b'{"channel_id": "x", "user_ids": null, "frame": {}}', b"\xff"):
            client.publish(EVENTS_CHANNEL, junk)
        frame = {"type": "document_uploaded", "channel_id": channel, "document_id": 1}
        frames: list[dict[str, Any]] = []

        def arrived() -> bool:
            # On a busy machine the backend may be subscribing again just now, so it is published until it arrives.
            client.publish(EVENTS_CHANNEL, encode(Event(channel, frame)))
            with contextlib.suppress(TimeoutError):
                while not frames or frames[-1] != frame:
                    frames.append(orjson.loads(socket.recv(timeout=2)))
            return frames[-1:] == [frame]

        wait_until(arrived, "the event after the junk")
        # The welcome to the new channel may arrive late; no junk may arrive.
        assert [got for got in frames if got["type"] != "message"] == [frame]
    backend.wait_for_entries("the junk", message="unreadable live event", level="warning")
