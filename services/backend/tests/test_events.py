"""Events without gaps: sockets that resume, and ordinary sockets that missed something."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import websockets
from backend.live.resuming import EVENTS_MAX
from psycopg.rows import dict_row
from websockets.sync.client import ClientConnection, connect

from plumbline.verification.throwaway import THROUGH_CADDY, PostgresServer, RedisServer, wait_until

from .conftest import TIMEOUT_S, Backend, User, frames_before_pong, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]
Frame = dict[str, Any]
SERVICE_RESTART, TRY_AGAIN_LATER = 1012, 1013


def resumed(user: User, since: int, url: str | None = None) -> ClientConnection:
    address = (url or user.url).replace("http", "ws", 1) + f"/ws/{user.id}?since={since}"
    headers = {"Cookie": f"access_token={user.token}", **THROUGH_CADDY}
    return connect(address, additional_headers=headers, max_size=None, proxy=None)


def beginning(user: User) -> int:
    """Return the event after which a client begins that has none."""
    with resumed(user, 0) as socket:
        (frame,) = frames_until(socket, lambda frame: frame["type"] == "read_again")
    return int(frame["event_id"])


def says(content: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.get("content") == content


def unpublished(sql: Sql, user: User, channel: int, content: str) -> int:
    """Store a message and its event as a route does, but tell no one; return the event's id."""
    row = sql.execute(
        "WITH posted AS (INSERT INTO messages (channel_id, sender_id, content) VALUES (%s, %s, %s)"
        " RETURNING id, channel_id)"
        " INSERT INTO events (channel_id, message_id) SELECT channel_id, id FROM posted RETURNING id",
        (channel, user.id, content),
    ).fetchone()
    assert row is not None
    return int(row["id"])


def frames_until_closed(socket: ClientConnection, timeout_s: float = TIMEOUT_S) -> tuple[list[Frame], int | None]:
    """Read until the socket is closed; return its frames and the code."""
    frames: list[Frame] = []
    while True:
        try:
            frames.append(orjson.loads(socket.recv(timeout=timeout_s)))
        except websockets.ConnectionClosed as closed:
            return frames, closed.rcvd.code if closed.rcvd else None


@pytest.fixture
def user(new_user: NewUser) -> User:
    return new_user()


@pytest.fixture
def channel(user: User) -> int:
    return int(user.channel()["id"])


@pytest.fixture
def transaction(backend: Backend, postgres_server: PostgresServer) -> Iterator[Sql]:
    """A connection whose transaction the test ends."""
    with psycopg.connect(postgres_server.conninfo, row_factory=dict_row) as connection:
        yield connection
        connection.rollback()


def test_a_socket_that_resumes_gets_what_it_missed_and_then_the_live_events(user: User, channel: int) -> None:
    with resumed(user, beginning(user)) as socket:
        user.post_message(channel, "seen")
        last = frames_until(socket, says("seen"))[-1]["event_id"]
    missed = [user.post_message(channel, f"missed {number}") for number in range(3)]
    with resumed(user, last) as socket:
        live = user.post_message(channel, "live")
        frames = frames_until(socket, says("live"))
    ids = [frame.pop("event_id") for frame in frames]
    assert ids == sorted({*ids, last})[1:]
    assert frames == [{"type": "message", **message} for message in [*missed, live]]


def test_what_members_are_told_is_stored_as_it_is_sent(new_user: NewUser, user: User, channel: int) -> None:
    other = new_user()
    start = beginning(user)
    with user.socket() as socket:
        other.post(f"/channels/{channel}/join")
        other.post(f"/channels/{channel}/leave")
        # Frames that are on their way while their channel is deleted have no members to go to.
        live = frames_until(socket, lambda frame: frame["type"] == "leave")
        user.post(f"/channels/dm/{other.id}")
        kept = user.channel()
        user.http.delete(f"{user.url}/channels/{channel}", timeout=TIMEOUT_S)
        user.post_message(kept["id"], "last")
        live += frames_until(socket, says("last"))
    with resumed(user, start) as socket:
        stored = frames_until(socket, says("last"))
    # Those of the deleted channel are gone: no one is a member any more.
    expected = [frame for frame in live if frame.get("channel_id") != channel or frame["type"] == "channel_deleted"]
    assert [{**frame, "event_id": None} for frame in stored] == [{**frame, "event_id": None} for frame in expected]
    assert {frame["type"] for frame in stored} == {"join", "message", "channel_deleted"}
    assert {"join", "leave"} <= {frame["type"] for frame in live}


def test_a_new_member_is_announced_later_as_it_was_at_once(new_user: NewUser, user: User, channel: int) -> None:
    other, start = new_user(), beginning(user)
    with user.socket() as member, other.socket() as joining:
        other.post(f"/channels/{channel}/join")
        (seen,) = frames_until(member, lambda frame: frame["type"] == "join")
        live = frames_until(joining, lambda frame: frame["type"] == "message")
    with resumed(user, start) as socket:
        assert frames_until(socket, lambda frame: frame["type"] == "join")[-1] | {"event_id": None} == seen | {
            "event_id": None
        }
    with resumed(other, start) as socket:
        stored = frames_until(socket, lambda frame: frame["type"] == "message")
    assert [frame["type"] for frame in live] == ["join", "message"]
    assert [frame | {"event_id": None} for frame in stored] == [frame | {"event_id": None} for frame in live]
    assert stored[0]["event_id"] < stored[1]["event_id"]


def test_events_come_in_one_order_whatever_the_order_of_commits(user: User, channel: int, transaction: Sql) -> None:
    with resumed(user, beginning(user)) as socket, user.socket() as ordinary:
        early = unpublished(transaction, user, channel, "taken first, committed last")
        user.post_message(channel, "committed first")
        frames_until(ordinary, says("committed first"))
        assert frames_before_pong(socket) == []
        transaction.commit()
        frames = frames_until(socket, says("committed first"))
    assert [frame["content"] for frame in frames] == ["taken first, committed last", "committed first"]
    assert frames[0]["event_id"] == early


def test_a_client_that_resumes_misses_no_late_commit(user: User, channel: int, transaction: Sql) -> None:
    start = beginning(user)
    unpublished(transaction, user, channel, "taken first, committed last")
    with user.socket() as ordinary:
        user.post_message(channel, "committed first")
        frames_until(ordinary, says("committed first"))
    with resumed(user, start) as socket:
        assert frames_before_pong(socket) == []
        transaction.commit()
        frames = frames_until(socket, says("committed first"))
    assert [frame["content"] for frame in frames] == ["taken first, committed last", "committed first"]


def test_an_event_that_was_rolled_back_holds_nothing_up(user: User, channel: int, transaction: Sql) -> None:
    with resumed(user, beginning(user)) as socket:
        unpublished(transaction, user, channel, "never")
        user.post_message(channel, "after it")
        transaction.rollback()
        frames = frames_until(socket, says("after it"))
    assert [frame["content"] for frame in frames] == ["after it"]


def test_a_long_transaction_that_tells_nothing_holds_nothing_up(user: User, channel: int, transaction: Sql) -> None:
    with resumed(user, beginning(user)) as socket:
        assert frames_before_pong(socket) == []
        transaction.execute("UPDATE users SET display_name = display_name WHERE id = %s", (user.id,))
        other = user.channel()["id"]
        frames_until(socket, lambda frame: frame.get("channel_id") == other)


def test_only_members_and_the_sender_get_what_is_theirs(new_user: NewUser, user: User, channel: int) -> None:
    other, stranger = new_user(), new_user()
    other.post(f"/channels/{channel}/join")
    start = beginning(user)
    user.http.post(
        f"{user.url}/channels/{channel}/messages", json={"content": "x"},
        headers={"Idempotency-Key": "mine"}, timeout=TIMEOUT_S,
    )  # fmt: skip
    stranger.post_message(stranger.channel()["id"], "of a stranger")
    with resumed(user, start) as own, resumed(other, start) as foreign, resumed(stranger, start) as outside:
        mine, theirs = (frames_until(socket, says("x"))[-1] for socket in (own, foreign))
        seen = frames_until(outside, says("of a stranger"))
    assert mine.pop("idempotency_key") == "mine"
    assert mine == theirs
    assert [frame["sender_id"] for frame in seen] == [None, stranger.id]


@pytest.mark.parametrize("case", ["pruned", "too many", "of the future"])
def test_beyond_the_bounds_a_client_is_told_to_read_again(user: User, channel: int, sql: Sql, case: str) -> None:
    start = beginning(user)
    if case == "too many":
        sql.execute("INSERT INTO events (channel_id, frame) SELECT %s, '{}' FROM generate_series(1, 1001)", (channel,))
    elif case == "pruned":
        user.post_message(channel, "pruned")
        user.post_message(channel, "kept")
        sql.execute("DELETE FROM events WHERE id <= %s", (start + 1,))
    else:
        start += 10**6
    with resumed(user, start) as socket:
        frames = frames_until(socket, lambda frame: frame["type"] == "read_again")
        mark = frames[-1]["event_id"]
        user.post_message(channel, "live")
        after = frames_until(socket, says("live"))
    assert len(frames) == 1
    assert all(frame["event_id"] > mark for frame in after)


@pytest.mark.parametrize("since", ["", "x", "-1", str(2**63), "1.5"])
def test_an_invalid_since_is_refused(user: User, since: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        resumed(user, since)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 422
    assert orjson.loads(refused.value.response.body or b"")["code"] == "invalid"


def test_a_socket_that_missed_an_event_is_closed_and_no_other(
    new_user: NewUser, user: User, channel: int, sql: Sql
) -> None:
    """So it is when Postgres or a process is killed between the commit and the announcement."""
    stranger = new_user()
    start = beginning(user)
    with user.socket() as socket, stranger.socket() as outside, resumed(user, start) as resuming:
        unpublished(sql, user, channel, "told to no one")
        assert frames_until_closed(socket)[1] == SERVICE_RESTART
        assert frames_before_pong(outside) == []
        frames = frames_until(resuming, says("told to no one"))
    assert len(frames) == 1
    with user.socket() as again:
        user.post_message(channel, "after it")
        assert frames_until(again, says("after it"))[-1]


def test_reconnecting_under_load_there_is_no_gap_and_no_doublet(
    backend: Backend, new_user: NewUser, user: User, channel: int, sql: Sql
) -> None:
    start, senders, stop = beginning(user), [new_user() for _ in range(3)], threading.Event()
    # Fewer in all than a socket catches up on, so the lists never have to be read again.
    rounds, posts = 8, EVENTS_MAX // 10
    allowed = threading.Semaphore(0)
    for sender in senders:
        sender.post(f"/channels/{channel}/join")

    def post(sender: User) -> None:
        number = 0
        while not stop.is_set():
            if allowed.acquire(timeout=0.1):
                sender.post_message(channel, f"{sender.id} {number}")
                number += 1

    threads = [threading.Thread(target=post, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    try:
        for _ in range(rounds):
            allowed.release(posts)
            with resumed(user, seen[-1] if seen else start) as socket:
                # The rest is sent while the socket is closed and opened again.
                for _ in range(posts // 2):
                    frame = orjson.loads(socket.recv(timeout=TIMEOUT_S))
                    assert frame["type"] != "read_again", f"from {seen[-1:] or start} on: {frame}"
                    seen.append(frame["event_id"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    user.post_message(channel, "last")
    with resumed(user, seen[-1]) as socket:
        seen += [frame["event_id"] for frame in frames_until(socket, says("last"))]
    stored = sql.execute("SELECT id FROM events WHERE channel_id = %s AND id > %s ORDER BY id", (channel, start))
    told = [row["id"] for row in stored if row["id"] <= seen[-1]]
    welcomes = sql.execute("SELECT id FROM events WHERE channel_id = %s AND user_ids IS NOT NULL", (channel,))
    foreign = {row["id"] for row in welcomes}
    assert seen == [event for event in told if event not in foreign]


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def pair(
    backend: Backend, tmp_path: Path, postgres_server: PostgresServer, own_redis: RedisServer
) -> Iterator[tuple[Backend, Backend]]:
    """Two servers, so two processes, on a Redis that the test may stop."""
    servers = []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            servers.append(Backend(tmp_path / name, postgres_server, own_redis.url, workers=1))
            servers[-1].start()
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.stop()


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_after_an_outage_of_redis_every_socket_that_missed_something_is_closed(
    pair: tuple[Backend, Backend], own_redis: RedisServer, how: str
) -> None:
    near, far = pair
    user = User(near.url)
    channel = int(user.channel()["id"])
    start = beginning(user)
    with user.socket() as own, user.socket(far.url) as distant, resumed(user, start, far.url) as resuming:
        for socket in (own, distant):
            frames_before_pong(socket)
        if how == "stalled":
            os.kill(own_redis.pid, signal.SIGSTOP)
        else:
            own_redis.stop()
        try:
            for content in ("first in the outage", "second in the outage"):
                user.post_message(channel, content)
                frames_until(own, says(content))
            # The log needs no Redis.
            frames = frames_until(resuming, says("second in the outage"))
            assert [frame["content"] for frame in frames] == ["first in the outage", "second in the outage"]
        finally:
            if how == "stalled":
                os.kill(own_redis.pid, signal.SIGCONT)
            else:
                own_redis.start()
        assert frames_until_closed(distant, 2 * TIMEOUT_S)[1] == SERVICE_RESTART
        user.post_message(channel, "after the outage")
        assert [frame["content"] for frame in frames_until(resuming, says("after the outage"))] == ["after the outage"]
        with user.socket(far.url) as again:
            wait_until(lambda: bool(_reaches(user, channel, again)), "events reach the other process again")


def _reaches(user: User, channel: int, socket: ClientConnection) -> list[Frame]:
    user.post_message(channel, "does it come?")
    return [frame for frame in frames_before_pong(socket) if frame["type"] == "message"]


def test_a_resuming_socket_that_is_slow_is_closed_and_misses_nothing_when_it_comes_again(
    tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer, user: User, channel: int, sql: Sql
) -> None:
    server = Backend(tmp_path, postgres_server, redis_server.url, workers=1, socket_queue=4)
    try:
        server.start()
        start = beginning(user)
        with resumed(user, start, server.url) as socket:
            # While it catches up, it is sent as many as it reads.
            assert frames_before_pong(socket) == []
            # More at once than may wait for a socket.
            sql.execute(
                "WITH posted AS (INSERT INTO messages (channel_id, sender_id, content)"
                " SELECT %s, %s, 'number ' || n FROM generate_series(1, 50) n RETURNING id, channel_id)"
                " INSERT INTO events (channel_id, message_id) SELECT channel_id, id FROM posted ORDER BY id",
                (channel, user.id),
            )
            seen, code = frames_until_closed(socket)
        assert code == TRY_AGAIN_LATER
        with resumed(user, seen[-1]["event_id"] if seen else start, server.url) as socket:
            seen += frames_until(socket, says("number 50"))
        assert [frame["content"] for frame in seen] == [f"number {number}" for number in range(1, 51)]
    finally:
        server.stop()
