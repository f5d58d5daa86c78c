from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from plumbline.verification.throwaway import PostgresServer, wait_until

from .conftest import Person

MakePerson = Callable[[], Person]


def test_the_creator_is_the_first_member_and_is_welcomed(
    person: MakePerson, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    somebody = person()
    channel = somebody.channel()
    row = sql.execute("SELECT * FROM channels WHERE id = %s", (channel["id"],)).fetchone()
    assert row is not None
    assert {name: row[name] for name in ("id", "name", "type", "created_by")} == {
        name: channel[name] for name in ("id", "name", "type", "created_by")
    }
    assert channel["is_direct"] is False
    members = somebody.get(f"/channels/{channel['id']}/members").json()["items"]
    assert [(m["user_id"], m["username"]) for m in members] == [(somebody.id, somebody.name)]
    (welcome,) = somebody.get(f"/channels/{channel['id']}/messages").json()["items"]
    assert (welcome["sender_id"], welcome["target_user_id"]) == (None, somebody.id)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "no mark"},
        {"name": "#"},
        {"name": "#  "},
        {"name": ""},
        {"name": "#line\nbreak"},
        {"name": "#nul\0"},
        {"name": "#" + "x" * 80},
        {"name": "#fine", "type": "secret"},
        {"name": 7},
        [],
        None,
    ],
)
def test_creating_refuses(person: MakePerson, body: object) -> None:
    assert person().post("/channels/", body).status_code == 422


def test_a_public_name_is_taken_once_in_any_case_even_under_a_race(person: MakePerson) -> None:
    people = [person() for _ in range(4)]
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


def test_private_names_are_never_betrayed(person: MakePerson) -> None:
    insider, outsider = person(), person()
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
    # Nor may the place of a private name in the order of names be probed through the page mark.
    assert outsider.get("/channels/search", name="", before=private["id"]).json()["items"] == []


def test_search_pages_through_a_prefix_in_the_order_of_names(person: MakePerson) -> None:
    somebody, other = person(), person()
    prefix = f"Pfx{secrets.token_hex(5)}"
    names = [f"#{prefix}-{letter}" for letter in "dacbe"]
    for name in names:
        somebody.post("/channels/", {"name": name})
    somebody.post("/channels/", {"name": f"{prefix}-bb", "type": "private"})
    other.post("/channels/", {"name": f"{prefix}-cc", "type": "private"})
    found: list[str] = []
    mark: dict[str, int] = {}
    while True:
        page = somebody.get("/channels/search", name=f"#{prefix.upper()}", limit=2, **mark).json()
        found += [channel["name"] for channel in page["items"]]
        if page["next"] is None:
            break
        mark = {"before": page["next"]}
    assert found == [f"#{prefix}-a", f"#{prefix}-b", f"{prefix}-bb", f"#{prefix}-c", f"#{prefix}-d", f"#{prefix}-e"]
    assert somebody.get("/channels/search", name="%").json()["items"] == []


def test_listing_pages_without_gaps_or_repeats(person: MakePerson) -> None:
    somebody = person()
    mine = [somebody.channel(type_)["id"] for type_ in ("public", "private", "private", "public", "private")]
    seen: list[int] = []
    mark: dict[str, int] = {}
    while not seen or min(seen) > mine[0]:
        page = somebody.get("/channels/", limit=2, **mark).json()
        seen += [channel["id"] for channel in page["items"]]
        mark = {"before": page["next"]}
    assert seen == sorted(set(seen), reverse=True)
    assert set(mine) <= set(seen)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"before": 0}, {"before": 2**63}])
def test_pages_refuse_what_is_no_page(person: MakePerson, params: dict[str, object]) -> None:
    assert person().get("/channels/", **params).status_code == 422


def test_joining_and_leaving(person: MakePerson, sql: psycopg.Connection[dict[str, Any]]) -> None:
    owner, guest = person(), person()
    channel = owner.channel()["id"]
    assert [guest.post(f"/channels/{channel}/join").status_code for _ in range(2)] == [200, 200]
    count = "SELECT count(*) AS n FROM messages WHERE channel_id = %s AND target_user_id = %s"
    assert sql.execute(count, (channel, guest.id)).fetchone() == {"n": 1}
    assert guest.post(f"/channels/{channel}/leave").status_code == 204
    assert guest.post(f"/channels/{channel}/leave").status_code == 403
    assert guest.post(f"/channels/{channel}/messages", {"content": "still here"}).status_code == 403


def test_a_private_channel_is_entered_through_a_member_only(person: MakePerson) -> None:
    owner, guest, stranger = person(), person(), person()
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


@pytest.mark.parametrize("channel", [2**62, 0, -1, 2**63, "x", "1.5", "%00"])
def test_channels_that_do_not_exist(person: MakePerson, channel: object) -> None:
    somebody = person()
    for method, path, body in [
        ("post", "join", None),
        ("post", "leave", None),
        ("get", "members", None),
        ("post", "members", {"user_id": somebody.id}),
        ("get", "messages", None),
        ("post", "messages", {"content": "hello"}),
    ]:
        address = f"/channels/{channel}/{path}"
        response = somebody.get(address) if method == "get" else somebody.post(address, body)
        assert response.status_code == (404 if channel == 2**62 else 422), (address, response.text)


@pytest.mark.parametrize(("user_id", "status"), [(2**62, 404), (2**63, 422), (0, 422), (True, 422), ("1", 422)])
def test_adding_somebody_who_does_not_exist(person: MakePerson, user_id: object, status: int) -> None:
    owner = person()
    channel = owner.channel()["id"]
    assert owner.post(f"/channels/{channel}/members", {"user_id": user_id}).status_code == status


def test_two_people_have_one_direct_channel_even_under_a_race(
    person: MakePerson, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    one, other = person(), person()
    pairs = [(one, other), (other, one)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda pair: pair[0].post(f"/channels/dm/{pair[1].id}"), pairs))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    (channel,) = {answer.json()["id"] for answer in answers}
    assert {(answer.json()["type"], answer.json()["is_direct"]) for answer in answers} == {("private", True)}
    members = sql.execute("SELECT user_id FROM memberships WHERE channel_id = %s", (channel,)).fetchall()
    assert {row["user_id"] for row in members} == {one.id, other.id}


def test_a_direct_channel_keeps_its_two(person: MakePerson) -> None:
    one, other, third = person(), person(), person()
    channel = one.post(f"/channels/dm/{other.id}").json()["id"]
    assert one.post(f"/channels/{channel}/members", {"user_id": third.id}).status_code == 409
    assert third.post(f"/channels/{channel}/members", {"user_id": third.id}).status_code == 403
    assert third.post(f"/channels/{channel}/join").status_code == 403
    assert one.post(f"/channels/{channel}/leave").status_code == 409
    assert one.post(f"/channels/dm/{one.id}").status_code == 422
    assert one.post(f"/channels/dm/{2**62}").status_code == 404
    assert other.says(channel, "just us")["channel_id"] == channel


def test_who_adds_a_member_at_the_same_moment_as_another_learns_since_when(
    person: MakePerson, sql: psycopg.Connection[dict[str, Any]], postgres_server: PostgresServer
) -> None:
    owner, guest = person(), person()
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
