"""Deletion of channels and accounts, and its announcement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
import requests
from backend import database, errors
from backend.errors import TooMuchAtOnce
from websockets.exceptions import ConnectionClosed

from plumbline.verification.throwaway import THROUGH_CADDY, PostgresServer, through_caddy, wait_until

from .conftest import OPERATOR_PASSWORD, TIMEOUT_S, Backend, User, frames_before_pong, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]
WAITING = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def delete(new_user: User, path: str, body: object = None) -> requests.Response:
    return new_user.http.delete(new_user.url + path, json=body, timeout=TIMEOUT_S)


def delete_account(new_user: User) -> requests.Response:
    return delete(new_user, "/auth/me", {"password": new_user.password})


def count(sql: Sql, table: str, channel_id: int) -> int:
    key = "id" if table == "channels" else "channel_id"
    row = sql.execute(f"SELECT count(*) AS n FROM {table} WHERE {key} = %s".encode(), (channel_id,)).fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("kind", ["public", "private"])
def test_deleting_a_channel_deletes_its_content_and_notifies_members_once(
    new_user: NewUser, sql: Sql, kind: str
) -> None:
    creator, member, outsider = new_user(), new_user(), new_user()
    channel, other = creator.channel(kind), creator.channel(kind)
    creator.post(f"/channels/{channel['id']}/members", {"user_id": member.id})
    for one in (channel, other):
        creator.post_message(one["id"], "to be or not to be")
    with creator.socket() as own, member.socket() as theirs, outsider.socket() as outside:
        assert delete(creator, f"/channels/{channel['id']}").status_code == 204
        wanted = {
            "type": "channel_deleted", "channel_id": channel["id"], "channel_name": channel["name"],
            "deleted_by": creator.id,
        }  # fmt: skip
        for socket in (own, theirs):
            assert frames_until(socket, lambda frame: frame["type"] == "channel_deleted")[-1] == wanted
            assert [one for one in frames_before_pong(socket) if one["type"] == "channel_deleted"] == []
        assert [one for one in frames_before_pong(outside) if one["type"] == "channel_deleted"] == []
    for table in ("channels", "memberships", "messages"):
        assert count(sql, table, channel["id"]) == 0
        assert count(sql, table, other["id"]) > 0
    gone = delete(creator, f"/channels/{channel['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_channel")
    assert creator.post("/channels/", {"name": channel["name"], "type": kind}).status_code == 201


@pytest.mark.parametrize(("kind", "code"), [("public", "not_the_creator"), ("private", "not_a_member")])
def test_only_the_creator_can_delete_a_channel(new_user: NewUser, sql: Sql, kind: str, code: str) -> None:
    creator, member, outsider = new_user(), new_user(), new_user()
    channel = creator.channel(kind)["id"]
    creator.post(f"/channels/{channel}/members", {"user_id": member.id})
    for user, why in ((outsider, code), (member, "not_the_creator")):
        refused = delete(user, f"/channels/{channel}")
        assert (refused.status_code, refused.json()["code"]) == (403, why)
    anonymous = through_caddy("DELETE", f"{creator.url}/channels/{channel}", timeout=TIMEOUT_S)
    assert anonymous.status_code == 401
    assert count(sql, "channels", channel) == 1


def test_only_its_two_members_can_delete_a_direct_channel(new_user: NewUser, sql: Sql) -> None:
    opener, other, outsider = new_user(), new_user(), new_user()
    channel = opener.post(f"/channels/dm/{other.id}").json()["id"]
    assert delete(outsider, f"/channels/{channel}").json()["code"] == "not_a_member"
    assert delete(other, f"/channels/{channel}").status_code == 204
    assert count(sql, "channels", channel) == 0
    again = opener.post(f"/channels/dm/{other.id}")
    assert (again.status_code, again.json()["id"] != channel) == (201, True)


@pytest.mark.parametrize("what", ["post", "join"])
def test_requests_during_a_deletion_get_no_such_channel(
    new_user: NewUser, sql: Sql, postgres_server: PostgresServer, what: str
) -> None:
    creator, guest = new_user(), new_user()
    channel = creator.channel()["id"]
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_server.conninfo) as deleting:
        deleting.execute("DELETE FROM channels WHERE id = %s", (channel,))
        if what == "post":
            late = pool.submit(creator.post, f"/channels/{channel}/messages", {"content": "too late"})
        else:
            late = pool.submit(guest.post, f"/channels/{channel}/join")
        wait_until(lambda: (sql.execute(WAITING).fetchone() or {})["n"] > 0, "the call waits for the deletion")
        deleting.commit()
        answer = late.result()
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_channel")


@pytest.mark.parametrize(
    ("what", "refusal"),
    [("join", (401, "unauthenticated")), ("add", (404, "no_such_user"))],
    ids=["the caller", "another user"],
)
def test_requests_during_the_deletion_of_a_user_say_who_is_gone(
    new_user: NewUser, sql: Sql, postgres_server: PostgresServer, what: str, refusal: tuple[int, str]
) -> None:
    creator, leaver = new_user(), new_user()
    channel = creator.channel()["id"]
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_server.conninfo) as deleting:
        deleting.execute("DELETE FROM users WHERE id = %s", (leaver.id,))
        if what == "join":
            late = pool.submit(leaver.post, f"/channels/{channel}/join")
        else:
            late = pool.submit(creator.post, f"/channels/{channel}/members", {"user_id": leaver.id})
        wait_until(lambda: (sql.execute(WAITING).fetchone() or {})["n"] > 0, "the call waits for the deletion")
        deleting.commit()
        answer = late.result()
    assert (answer.status_code, answer.json()["code"]) == refusal


def test_every_reference_that_a_request_writes_has_its_refusal(backend: Backend, sql: Sql) -> None:
    foreign_keys = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conname LIKE '%_fkey'"
    refused = {row["conname"]: errors.just_deleted(row["conname"]) for row in sql.execute(foreign_keys)}
    assert {name: type(refusal).__name__ for name, refusal in refused.items() if refusal is not None} == {
        "channels_created_by_fkey": "UserDeleted",
        "invites_created_by_fkey": "UserDeleted",
        "messages_sender_id_fkey": "UserDeleted",
        "memberships_channel_id_fkey": "NoSuchChannel",
        "messages_channel_id_fkey": "NoSuchChannel",
        "memberships_user_id_fkey": "NoSuchUser",
        "messages_target_user_id_fkey": "NoSuchUser",
        "idempotency_keys_user_id_fkey": "UserDeleted",
        "sessions_user_id_fkey": "UserDeleted",
    }
    # Written in the transaction that makes the user.
    assert [name for name, refusal in refused.items() if refusal is None] == ["invites_used_by_fkey"]


def test_an_unknown_reference_that_is_violated_is_a_logged_failure(
    backend: Backend, new_user: NewUser, sql: Sql
) -> None:
    creator = new_user()
    channel = creator.channel()["id"]
    sql.execute("CREATE TABLE allowed (content text PRIMARY KEY)")
    sql.execute(
        "ALTER TABLE messages ADD CONSTRAINT messages_channel_id_content_fkey FOREIGN KEY (content) REFERENCES allowed"
        " NOT VALID"
    )
    try:
        failed = creator.post(f"/channels/{channel}/messages", {"content": "refers to nothing"})
    finally:
        sql.execute("DROP TABLE allowed CASCADE")
    assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")
    (entry,) = backend.wait_for_entries("the failure", request_id=failed.json()["request_id"])
    assert entry["level"] == "error"
    assert "messages_channel_id_content_fkey" in entry["exception"]


def test_deleting_an_account_keeps_its_messages_without_a_name(new_user: NewUser, sql: Sql) -> None:
    leaver, friend = new_user(), new_user()
    room, alone, direct = leaver.channel(), leaver.channel("private"), leaver.post(f"/channels/dm/{friend.id}").json()
    friend.post(f"/channels/{room['id']}/join")
    said = leaver.post_message(room["id"], "remember me")
    with friend.socket() as theirs, leaver.socket() as own:
        assert delete(leaver, "/auth/me", {"password": "not it"}).json()["code"] == "wrong_password"
        assert delete(leaver, "/auth/me", {}).status_code == 422
        assert leaver.get("/auth/me").status_code == 200
        answer = delete_account(leaver)
        assert (answer.status_code, answer.content) == (204, b"")
        assert 'access_token=""' in answer.headers["Set-Cookie"]
        # In no particular order.
        left = [frames_until(theirs, lambda frame: frame["type"] == "leave")[-1] for _ in range(2)]
        assert {frame["channel_id"]: frame["username"] for frame in left} == {
            room["id"]: leaver.name, direct["id"]: leaver.name,
        }  # fmt: skip
        with pytest.raises(ConnectionClosed) as closed:
            frames_until(own, lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    assert sql.execute("SELECT id FROM users WHERE id = %s", (leaver.id,)).fetchall() == []
    assert sql.execute("SELECT channel_id FROM memberships WHERE user_id = %s", (leaver.id,)).fetchall() == []
    row = sql.execute("SELECT sender_id, content FROM messages WHERE id = %s", (said["id"],)).fetchone()
    assert row == {"sender_id": None, "content": "remember me"}
    shown = next(
        one for one in friend.get(f"/channels/{room['id']}/messages").json()["items"] if one["id"] == said["id"]
    )
    assert shown == {**said, "sender_id": None, "username": "(deleted)", "display_name": "Deleted user"}
    assert sql.execute("SELECT created_by FROM channels WHERE id = %s", (room["id"],)).fetchone() == {
        "created_by": None
    }
    # The private channel without another member is deleted, too.
    assert [count(sql, "channels", one["id"]) for one in (alone, direct)] == [0, 1]
    assert delete(friend, f"/channels/{direct['id']}").status_code == 204
    again = through_caddy(
        "POST",
        leaver.url + "/auth/login",
        data={"username": leaver.name, "password": leaver.password},
        timeout=TIMEOUT_S,
    )
    assert again.json()["code"] == "wrong_credentials"


def test_the_last_operator_cannot_be_deleted(backend: Backend, new_user: NewUser, sql: Sql) -> None:
    with requests.Session() as http:
        http.headers.update(THROUGH_CADDY)
        form = {"username": "operator", "password": OPERATOR_PASSWORD}
        assert http.post(backend.url + "/auth/login", data=form, timeout=TIMEOUT_S).status_code == 200
        refused = http.delete(backend.url + "/auth/me", json={"password": OPERATOR_PASSWORD}, timeout=TIMEOUT_S)
        assert (refused.status_code, refused.json()["code"]) == (409, "last_operator")
        assert http.get(backend.url + "/auth/me", timeout=TIMEOUT_S).status_code == 200


def test_concurrent_deletions_keep_one_operator(new_user: NewUser, sql: Sql) -> None:
    people = [new_user(), new_user()]
    alone = people[0].channel("private")["id"], people[1].channel("private")["id"]
    with ExitStack() as afterwards:
        sql.execute("UPDATE users SET is_operator = false WHERE username = 'operator'")
        afterwards.callback(sql.execute, "UPDATE users SET is_operator = username = 'operator' WHERE is_operator")
        afterwards.callback(sql.execute, "UPDATE users SET is_operator = true WHERE username = 'operator'")
        sql.execute("UPDATE users SET is_operator = true WHERE id = ANY(%s)", ([one.id for one in people],))
        with ThreadPoolExecutor(2) as pool:
            statuses = [answer.status_code for answer in pool.map(delete_account, people)]
    assert sorted(statuses) == [204, 409]
    # The refused one keeps everything.
    assert [count(sql, "channels", one) for one in alone] == [int(status == 409) for status in statuses]


def test_a_deletion_that_takes_too_long_is_refused_with_advice(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "QUERY_TIMEOUT_S", 0.1)

    async def ask() -> None:
        asked = database.Database(postgres_server.conninfo, 1)
        await asked.open()
        try:
            with pytest.raises(TooMuchAtOnce):
                await asked.fetch_one("SELECT pg_sleep(20)", {}, timeout_s=1.2)
            assert await asked.fetch_one("SELECT current_setting('statement_timeout') AS is", {}, timeout_s=0.1) == {
                "is": "100ms"
            }
        finally:
            await asked.close()

    asyncio.run(ask())
