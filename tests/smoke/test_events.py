"""Events without gaps: a socket resumes after an event, and one that missed something is closed.

Protects from clients that miss an event and do not know it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from plumbline.targets.base import Target
from plumbline.verification.checks import rows
from plumbline.verification.checks.client import TIMEOUT_S, Socket, User, tls_of

Database = psycopg.Connection[dict[str, Any]]
MISSED = 1012
LOOKS = 8
"""So many sockets reach every server process."""


@contextmanager
def resumed(user: User, since: int) -> Iterator[Socket]:
    """Open the user's socket after an event."""
    url = f"{user.base_url.replace('http', 'ws', 1)}/ws/{user.id}?since={since}"
    headers = {"Authorization": f"Bearer {user.token}"}
    with connect(url, open_timeout=TIMEOUT_S, proxy=None, ssl=tls_of(url), additional_headers=headers) as connection:
        yield Socket(connection)


def beginning(user: User) -> int:
    """Return the event after which a client begins."""
    with resumed(user, 0) as socket:
        frame = socket.wait_for("read_again")
    assert socket.received[0] == frame, f"events from before came after since=0: {socket.received}"
    return int(frame["event_id"])


def messages(socket: Socket) -> set[int]:
    """Return the ids of the messages that the socket has got."""
    return {frame["id"] for frame in socket.received if frame["type"] == "message"}


def post(user: User, channel: int, content: str) -> dict[str, Any]:
    return dict(user.post(f"/channels/{channel}/messages", {"content": content}).expect(201))


def test_a_socket_that_resumes_gets_each_event_once_and_in_order(alice: User, bob: User, database: Database) -> None:
    channel = alice.create_channel()["id"]
    start = beginning(alice)
    bob.post(f"/channels/{channel}/join").expect(200)
    missed = [post(bob, channel, f"missed {number}") for number in range(3)]
    with resumed(alice, start) as socket:
        live = post(bob, channel, uuid.uuid4().hex)
        socket.wait_for("message", content=live["content"])
    said = [frame for frame in socket.received if frame["type"] == "message"]
    ids = [frame["event_id"] for frame in socket.received]
    assert ids == sorted(set(ids)), f"event ids are not in order, or twice: {ids}"
    assert socket.received[0]["type"] == "join", socket.received
    expected = [{"type": "message", **message} for message in [*missed, live]]
    found = [{key: value for key, value in frame.items() if key != "event_id"} for frame in said]
    assert found == expected, f"a socket that resumes got {found}, expected {expected}"
    for frame in said:
        row = rows.one(database, "events", id=frame["event_id"])
        assert (row["channel_id"], row["message_id"], row["frame"]) == (channel, frame["id"], None)


def test_events_are_for_members_alone(alice: User, bob: User) -> None:
    channel = alice.create_channel("private")["id"]
    start = beginning(bob)
    post(alice, channel, "not for bob")
    with resumed(bob, start) as socket:
        frames = [frame for frame in socket.drain() if frame["type"] != "pong"]
    assert frames == [], f"backend: a socket that resumes shows a private channel to another user: {frames}"


@pytest.mark.disrupt
def test_no_event_is_missed_without_a_sign_while_redis_is_away(alice: User, bob: User, target: Target) -> None:
    channel = alice.create_channel()["id"]
    bob.post(f"/channels/{channel}/join").expect(200)
    start = beginning(bob)
    with ExitStack() as opened:
        sockets = [opened.enter_context(bob.socket()) for _ in range(LOOKS)]
        for socket in sockets:
            socket.drain()
        resuming = opened.enter_context(resumed(bob, start))
        target.stop("redis")
        try:
            during = [post(alice, channel, f"away {number}")["id"] for number in range(5)]
        finally:
            target.start("redis")
        after = post(alice, channel, uuid.uuid4().hex)
        resuming.wait_for("message", content=after["content"])
        got = [frame["id"] for frame in resuming.received if frame.get("sender_id") == alice.id]
        assert got == [*during, after["id"]], f"a socket that resumes got the messages {got}"
        for socket in sockets:
            try:
                while not messages(socket).issuperset(during):
                    socket.wait_for("message")
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                assert code == MISSED, f"a socket that missed events was closed with {code}, expected {MISSED}"
