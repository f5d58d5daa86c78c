"""Requests with an `Idempotency-Key`: repeated, in work, with another body, and while Postgres is away."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
from backend.database import Database
from backend.pruning import prune

from plumbline.verification.throwaway import PostgresServer

from .conftest import TIMEOUT_S, Backend, User, frames_before_pong, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"


def post(user: User, path: str, body: object, key: str) -> requests.Response:
    return user.http.post(user.url + path, json=body, headers={"Idempotency-Key": key}, timeout=TIMEOUT_S)


def new_key() -> str:
    return str(uuid.uuid4())


def messages_of(sql: Sql, channel: int) -> list[str]:
    rows = sql.execute("SELECT content FROM messages WHERE channel_id = %s AND sender_id IS NOT NULL", (channel,))
    return [row["content"] for row in rows]


@pytest.fixture
def user(new_user: NewUser) -> User:
    return new_user()


@pytest.fixture
def channel(user: User) -> int:
    return int(user.channel()["id"])


def test_a_repeated_message_gets_the_first_answer_and_is_stored_and_announced_once(
    user: User, channel: int, sql: Sql
) -> None:
    key, path = new_key(), f"/channels/{channel}/messages"
    with user.socket() as socket:
        first = post(user, path, {"content": "once", "image_url": "/x"}, key)
        again = post(user, path, {"image_url": "/x", "content": "once"}, key)
        user.post_message(channel, "last")
        seen = frames_until(socket, lambda frame: frame.get("content") == "last")
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert messages_of(sql, channel) == ["once", "last"]
    # The channel's first message may be announced late.
    assert [frame["content"] for frame in seen if not frame["content"].startswith("Welcome")] == ["once", "last"]


def test_a_repeated_channel_is_created_and_welcomed_once(user: User, sql: Sql) -> None:
    key, body = new_key(), {"name": f"#{uuid.uuid4()}", "type": "public"}
    with user.socket() as socket:
        first, again = post(user, "/channels/", body, key), post(user, "/channels/", body, key)
        frames = frames_before_pong(socket)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert sql.execute("SELECT count(*) FROM channels WHERE name = %s", (body["name"],)).fetchone() == {"count": 1}
    assert [frame["type"] for frame in frames] in (["message"], [])  # The frame may still be on its way.


def test_another_request_with_the_same_key_is_refused(user: User, channel: int, sql: Sql) -> None:
    key, other = new_key(), user.channel()["id"]
    assert post(user, f"/channels/{channel}/messages", {"content": "one"}, key).status_code == 201
    for path, body in (
        (f"/channels/{channel}/messages", {"content": "two"}),
        (f"/channels/{other}/messages", {"content": "one"}),
        ("/channels/", {"name": f"#{uuid.uuid4()}"}),
    ):
        refused = post(user, path, body, key)
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    assert messages_of(sql, channel) == ["one"]
    assert messages_of(sql, other) == []


def test_a_request_that_is_still_in_work_is_refused_until_it_has_ended(
    user: User, channel: int, sql: Sql, postgres_server: PostgresServer
) -> None:
    key, name = new_key(), f"#{uuid.uuid4()}"
    with psycopg.connect(postgres_server.conninfo) as first:
        first.execute(LOCK, (key, user.id))
        for path, body in ((f"/channels/{channel}/messages", {"content": "x"}), ("/channels/", {"name": name})):
            refused = post(user, path, body, key)
            assert (refused.status_code, refused.json()["code"]) == (409, "key_in_use")
            assert int(refused.headers["Retry-After"]) >= 1
    assert messages_of(sql, channel) == []
    assert post(user, f"/channels/{channel}/messages", {"content": "x"}, key).status_code == 201


def test_a_repeated_request_takes_no_event_id(user: User, channel: int, sql: Sql) -> None:
    """Readers of events wait for each id that is missing."""
    key, path, body = new_key(), f"/channels/{channel}/messages", {"content": "once"}
    assert post(user, path, body, key).status_code == 201
    taken = "SELECT last_value FROM pg_sequences WHERE sequencename = 'events_id_seq'"
    before = sql.execute(taken).fetchone()
    assert post(user, path, body, key).status_code == 201
    assert sql.execute(taken).fetchone() == before


def test_many_at_once_are_one(user: User, channel: int, sql: Sql) -> None:
    key, body = new_key(), {"content": "one of many"}
    headers = dict(user.http.headers) | {"Authorization": f"Bearer {user.token}", "Idempotency-Key": key}
    url, together = f"{user.url}/channels/{channel}/messages", threading.Barrier(8)

    def send() -> requests.Response:
        together.wait()
        return requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S)

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"key_in_use"}
    assert messages_of(sql, channel) == ["one of many"]


def test_a_key_belongs_to_its_user(new_user: NewUser, user: User, channel: int, sql: Sql) -> None:
    other, key = new_user(), new_key()
    other.post(f"/channels/{channel}/join")
    ids = [post(who, f"/channels/{channel}/messages", {"content": "same"}, key).json()["id"] for who in (user, other)]
    assert len(set(ids)) == 2
    assert len(messages_of(sql, channel)) == 2


def test_a_refused_request_does_not_use_up_its_key(new_user: NewUser, user: User, channel: int) -> None:
    other, key, path = new_user(), new_key(), f"/channels/{channel}/messages"
    assert post(other, path, {"content": "x"}, key).status_code == 403
    other.post(f"/channels/{channel}/join")
    assert post(other, path, {"content": "x"}, key).status_code == 201
    name = user.channel()["name"]
    taken = post(other, "/channels/", {"name": name}, new_key())
    assert (taken.status_code, taken.json()["code"]) == (409, "channel_exists")


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "naïve"])
def test_an_invalid_key_is_refused(user: User, channel: int, sql: Sql, key: str) -> None:
    refused = post(user, f"/channels/{channel}/messages", {"content": "x"}, key.encode("latin-1"))  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert messages_of(sql, channel) == []


def test_the_key_is_shown_to_the_senders_own_sockets_only(new_user: NewUser, user: User, channel: int) -> None:
    other, key = new_user(), new_key()
    other.post(f"/channels/{channel}/join")
    with user.socket() as own, user.socket() as own_too, other.socket() as foreign:
        posted = post(user, f"/channels/{channel}/messages", {"content": "x"}, key).json()
        frames = [
            frames_until(socket, lambda frame: frame.get("content") == "x")[-1] for socket in (own, own_too, foreign)
        ]
    assert frames == [{"type": "message", **posted, "idempotency_key": key}] * 2 + [{"type": "message", **posted}]


def test_keys_are_deleted_after_a_day(user: User, channel: int, sql: Sql, postgres_server: PostgresServer) -> None:
    old, young = new_key(), new_key()
    for key in (old, young):
        post(user, f"/channels/{channel}/messages", {"content": "x"}, key)
    for key, age in ((old, "24 hours 1 second"), (young, "23 hours 59 minutes")):
        sql.execute(
            "UPDATE idempotency_keys SET created_at = now() - %s::interval WHERE user_id = %s AND key = %s",
            (age, user.id, key),
        )

    async def run() -> None:
        database = Database(postgres_server.conninfo, 1)
        await database.open()
        await prune(database)
        await database.close()

    asyncio.run(run())
    left = sql.execute("SELECT key FROM idempotency_keys WHERE user_id = %s", (user.id,)).fetchall()
    assert left == [{"key": young}]


@pytest.fixture
def own_backend(tmp_path: Path, empty_postgres: PostgresServer, redis_server: Any) -> Iterator[Backend]:
    """A backend on a Postgres that the test may stop."""
    server = Backend(tmp_path, empty_postgres, redis_server.url, workers=1)
    migrated = server.migrate()
    assert migrated.returncode == 0, migrated.stderr
    try:
        server.start()
        yield server
    finally:
        server.stop()


def documented_loop() -> Callable[..., requests.Response]:
    """Return the function of docs/calls.md that repeats a request until it has an answer."""
    text = (Path(__file__).parents[3] / "docs" / "calls.md").read_text()
    (code,) = [found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Idempotency-Key" in found]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/calls.md", "exec"), names)
    found: Callable[..., requests.Response] = names["post_once"]
    return found


def test_the_documented_loop_stores_each_message_once_while_postgres_stands_still(
    own_backend: Backend, empty_postgres: PostgresServer
) -> None:
    """Without keys, writes that were answered 503 are stored twice when their client obeys `Retry-After`."""
    post_once = documented_loop()
    user = User(own_backend.url)
    channel = user.channel()["id"]
    user.http.headers["Authorization"] = f"Bearer {user.token}"
    statuses: list[int] = []
    user.http.hooks["response"].append(lambda response, *_, **__: statuses.append(response.status_code))
    contents = [f"message {number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        server = psutil.Process(empty_postgres.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            sent = [
                pool.submit(post_once, user.http, f"{user.url}/channels/{channel}/messages", {"content": content})
                for content in contents
            ]
            until = time.monotonic() + 60
            while 503 not in statuses and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            for process in processes:
                process.resume()
        answers = [future.result(timeout=60) for future in sent]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert 503 in statuses
    with psycopg.connect(empty_postgres.conninfo) as connection:
        stored = connection.execute("SELECT content FROM messages WHERE sender_id = %s", (user.id,)).fetchall()
    assert sorted(row[0] for row in stored) == contents
