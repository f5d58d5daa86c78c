from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from plumbline.verification.throwaway import PostgresServer, wait_until

from .conftest import User

NewUser = Callable[[], User]


def test_the_creator_is_the_first_member_and_gets_a_welcome(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    user = new_user()
    channel = user.channel()
    row = sql.execute("SELECT * FROM channels WHERE id = %s", (channel["id"],)).fetchone()
    assert row is not None
    assert {name: row[name] for name in ("id", "name", "type", "created_by")} == {
        name: channel[name] for name in ("id", "name", "type", "created_by")
    }
    assert channel["is_direct"] is False
    members = user.get(f"/channels/{channel['id']}/members").json()["items"]
    assert [(m["user_id"], m["username"]) for m in members] == [(user.id, user.name)]
    (welcome,) = user.get(f"/channels/{channel['id']}/messages").json()["items"]
    assert (welcome["sender_id"], welcome["target_user_id"]) == (None, user.id)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "no mark"}, "name"),
        ({"name": "no mark", "type": "public"}, "name"),
        ({"name": "#"}, "name"),
        ({"name": "#  "}, "name"),
        ({"name": ""}, "name"),
        ({"name": "#line\nbreak"}, "name"),
        ({"name": "#nul\0"}, "name"),
        ({"name": "#" + "x" * 80}, "name"),
        ({"name": "#fine", "type": "secret"}, "type"),
        ({"name": 7}, "name"),
        ({}, "name"),
        ([], "body"),
        (None, "body"),
    ],
)
def test_a_refused_creation_names_the_field(new_user: NewUser, body: object, field: str) -> None:
    answer = new_user().post("/channels/", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "Value error" not in answer.text


def test_concurrent_creations_of_one_public_name_in_any_case_create_one_channel(new_user: NewUser) -> None:
    people = [new_user() for _ in range(4)]
    name = f"#Räce-{secrets.token_hex(5)}"
    spellings = [name, name.upper(), name.lower(), name.swapcase()]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(
            pool.map(
                lambda pair: pair[0].post("/channels/", {"name": pair[1]}).status_code,
                zip(people, spellings, strict=True),
            )
        )
    assert sorted(statuses) == [201, 409, 409, 409]


def test_private_names_are_not_revealed_to_others(new_user: NewUser) -> None:
    insider, outsider = new_user(), new_user()
    name = f"secret-{secrets.token_hex(6)}"
    private = insider.post("/channels/", {"name": name, "type": "private"}).json()
    assert outsider.post("/channels/", {"name": name, "type": "private"}).status_code == 201
    assert outsider.post("/channels/", {"name": f"#{name}"}).status_code == 201
    found = outsider.get("/channels/search", name=name).json()["items"]
    assert private["id"] not in [channel["id"] for channel in found]
    assert len(found) == 2
    listed = [channel["id"] for channel in outsider.get("/channels/").json()["items"]]
    assert private["id"] not in listed
    assert insider.get("/channels/search", name=name.upper()).json()["items"][-1]["id"] in (
        private["id"],
        found[1]["id"],
    )
    # The page mark must not reveal where a private name is in the order of names.
    assert outsider.get("/channels/search", name="", before=private["id"]).json()["items"] == []


def test_search_pages_are_ordered_by_name(new_user: NewUser) -> None:
    user, other = new_user(), new_user()
    prefix = f"Pfx{secrets.token_hex(5)}"
    names = [f"#{prefix}-{letter}" for letter in "dacbe"]
    for name in names:
        user.post("/channels/", {"name": name})
    user.post("/channels/", {"name": f"{prefix}-bb", "type": "private"})
    other.post("/channels/", {"name": f"{prefix}-cc", "type": "private"})
    found: list[str] = []
    mark: dict[str, int] = {}
    while True:
        page = user.get("/channels/search", name=f"#{prefix.upper()}", limit=2, **mark).json()
        found += [channel["name"] for channel in page["items"]]
        if page["next"] is None:
            break
        mark = {"before": page["next"]}
    assert found == [f"#{prefix}-a", f"#{prefix}-b", f"{prefix}-bb", f"#{prefix}-c", f"#{prefix}-d", f"#{prefix}-e"]
    assert user.get("/channels/search", name="%").json()["items"] == []


def test_list_pages_have_no_gaps_or_repeats(new_user: NewUser) -> None:
    user = new_user()
    mine = [user.channel(type_)["id"] for type_ in ("public", "private", "private", "public", "private")]
    seen: list[int] = []
    mark: dict[str, int] = {}
    while not seen or min(seen) > mine[0]:
        page = user.get("/channels/", limit=2, **mark).json()
        seen += [channel["id"] for channel in page["items"]]
        mark = {"before": page["next"]}
    assert seen == sorted(set(seen), reverse=True)
    assert set(mine) <= set(seen)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"before": 0}, {"before": 2**63}])
def test_invalid_page_parameters_are_refused(new_user: NewUser, params: dict[str, object]) -> None:
    assert new_user().get("/channels/", **params).status_code == 422


def test_joining_and_leaving(new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]) -> None:
    owner, guest = new_user(), new_user()
    channel = owner.channel()["id"]
    assert [guest.post(f"/channels/{channel}/join").status_code for _ in range(2)] == [200, 200]
    count = "SELECT count(*) AS n FROM messages WHERE channel_id = %s AND target_user_id = %s"
    assert sql.execute(count, (channel, guest.id)).fetchone() == {"n": 1}
    assert guest.post(f"/channels/{channel}/leave").status_code == 204
    assert guest.post(f"/channels/{channel}/leave").status_code == 403
    assert guest.post(f"/channels/{channel}/messages", {"content": "still here"}).status_code == 403


def test_only_members_can_add_to_a_private_channel(new_user: NewUser) -> None:
    owner, guest, stranger = new_user(), new_user(), new_user()
    channel = owner.channel("private")["id"]
    assert guest.post(f"/channels/{channel}/join").status_code == 403
    assert guest.get(f"/channels/{channel}/members").status_code == 403
    assert guest.get(f"/channels/{channel}/messages").status_code == 403
    assert stranger.post(f"/channels/{channel}/members", {"user_id": guest.id}).status_code == 403
    added = owner.post(f"/channels/{channel}/members", {"user_id": guest.id})
    assert (added.status_code, added.json()["username"]) == (201, guest.name)
    assert owner.post(f"/channels/{channel}/members", {"user_id": guest.id}).status_code == 200
    assert guest.post(f"/channels/{channel}/join").status_code == 200
    assert [m["user_id"] for m in guest.get(f"/channels/{channel}/members").json()["items"]] == [guest.id, owner.id]


def test_strangers_cannot_add_others_to_a_public_channel(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    owner, member, guest, stranger = new_user(), new_user(), new_user(), new_user()
    channel = owner.channel()["id"]
    member.post(f"/channels/{channel}/join")
    refused = stranger.post(f"/channels/{channel}/members", {"user_id": guest.id})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_member")
    of_guest = "SELECT 1 FROM memberships WHERE channel_id = %s AND user_id = %s"
    assert sql.execute(of_guest, (channel, guest.id)).fetchone() is None
    assert stranger.post(f"/channels/{channel}/members", {"user_id": stranger.id}).status_code == 201
    assert member.post(f"/channels/{channel}/members", {"user_id": guest.id}).status_code == 201


@pytest.mark.parametrize("channel", [2**62, 0, -1, 2**63, "x", "1.5", "%00"])
def test_unknown_and_invalid_channel_ids_are_refused(new_user: NewUser, channel: object) -> None:
    user = new_user()
    for method, path, body in [
        ("post", "join", None),
        ("post", "leave", None),
        ("get", "members", None),
        ("post", "members", {"user_id": user.id}),
        ("get", "messages", None),
        ("post", "messages", {"content": "hello"}),
    ]:
        address = f"/channels/{channel}/{path}"
        response = user.get(address) if method == "get" else user.post(address, body)
        assert response.status_code == (404 if channel == 2**62 else 422), (address, response.text)


@pytest.mark.parametrize(("user_id", "status"), [(2**62, 404), (2**63, 422), (0, 422), (True, 422), ("1", 422)])
def test_adding_an_unknown_user_is_refused(new_user: NewUser, user_id: object, status: int) -> None:
    owner = new_user()
    channel = owner.channel()["id"]
    assert owner.post(f"/channels/{channel}/members", {"user_id": user_id}).status_code == status


def test_concurrent_requests_open_one_direct_channel(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    one, other = new_user(), new_user()
    pairs = [(one, other), (other, one)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda pair: pair[0].post(f"/channels/dm/{pair[1].id}"), pairs))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    (channel,) = {answer.json()["id"] for answer in answers}
    assert {(answer.json()["type"], answer.json()["is_direct"]) for answer in answers} == {("private", True)}
    members = sql.execute("SELECT user_id FROM memberships WHERE channel_id = %s", (channel,)).fetchall()
    assert {row["user_id"] for row in members} == {one.id, other.id}


def test_the_members_of_a_direct_channel_cannot_change(new_user: NewUser) -> None:
    one, other, third = new_user(), new_user(), new_user()
    channel = one.post(f"/channels/dm/{other.id}").json()["id"]
    assert one.post(f"/channels/{channel}/members", {"user_id": third.id}).status_code == 409
    assert third.post(f"/channels/{channel}/members", {"user_id": third.id}).status_code == 403
    assert third.post(f"/channels/{channel}/join").status_code == 403
    assert one.post(f"/channels/{channel}/leave").status_code == 409
    assert one.post(f"/channels/dm/{one.id}").status_code == 422
    assert one.post(f"/channels/dm/{2**62}").status_code == 404
    assert other.post_message(channel, "just us")["channel_id"] == channel


def test_a_concurrent_second_add_returns_the_joined_at_of_the_first(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]], postgres_server: PostgresServer
) -> None:
    owner, guest = new_user(), new_user()
    channel = owner.channel("private")["id"]
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO memberships%'"
    with ThreadPoolExecutor(1) as other, psycopg.connect(postgres_server.conninfo, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("INSERT INTO memberships VALUES (%s, %s)", (channel, guest.id))
            answer = other.submit(owner.post, f"/channels/{channel}/members", {"user_id": guest.id})
            wait_until(lambda: sql.execute(waiting).fetchone() is not None, "the second waits for the first")
        response = answer.result()
    row = sql.execute("SELECT joined_at FROM memberships WHERE user_id = %s", (guest.id,)).fetchone()
    assert row is not None
    assert (response.status_code, response.json()["joined_at"]) == (200, row["joined_at"].isoformat())


@pytest.mark.parametrize(
    ("own", "others"),
    [(40, 300), (120, 30), (120, 500)],
    ids=["few memberships", "many memberships", "many memberships and many names of others"],
)
def test_search_finds_every_own_channel_in_order(
    new_user: NewUser, sql: psycopg.Connection[dict[str, Any]], own: int, others: int
) -> None:
    user, other = new_user(), new_user()
    # Names of others come before, between and after the user's.
    for member, count, step in ((user, own, 3), (other, others, 1)):
        sql.execute(
            """
            WITH made AS (
                INSERT INTO channels (name, type)
                SELECT 'Find ' || %(mark)s || ' ' || lpad((n * %(step)s)::text, 4, '0'), 'private'
                FROM generate_series(1, %(count)s) n RETURNING id
            )
            INSERT INTO memberships (channel_id, user_id) SELECT id, %(user)s FROM made
            """,
            {"mark": user.name, "step": step, "count": count, "user": member.id},
        )
    expected = sql.execute(
        """
        SELECT c.id FROM channels c JOIN memberships m ON m.channel_id = c.id
        WHERE m.user_id = %s AND c.name LIKE 'Find %%' ORDER BY lower(c.name) COLLATE "C", c.id
        """,
        (user.id,),
    ).fetchall()
    found: list[int] = []
    before: int | None = None
    while True:
        given = {} if before is None else {"before": before}
        page = user.get("/channels/search", name=f"find {user.name}", limit=25, **given).json()
        found += [one["id"] for one in page["items"]]
        if (before := page["next"]) is None:
            break
    assert found == [row["id"] for row in expected]
    assert len(found) == own
