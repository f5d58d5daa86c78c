"""What the creator of a channel may do: rename it, and remove members."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from .conftest import TIMEOUT_S, User, frames_before_pong, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]


def rename(user: User, channel_id: int, name: object) -> requests.Response:
    return user.http.patch(f"{user.url}/channels/{channel_id}", json={"name": name}, timeout=TIMEOUT_S)


def remove(user: User, channel_id: int, member: User) -> requests.Response:
    return user.http.delete(f"{user.url}/channels/{channel_id}/members/{member.id}", timeout=TIMEOUT_S)


def name_of(sql: Sql, channel_id: int) -> str:
    return str((sql.execute("SELECT name FROM channels WHERE id = %s", (channel_id,)).fetchone() or {})["name"])


def is_member(sql: Sql, channel_id: int, user: User) -> bool:
    found = sql.execute("SELECT 1 FROM memberships WHERE channel_id = %s AND user_id = %s", (channel_id, user.id))
    return found.fetchone() is not None


def new_name(mark: str = "#") -> str:
    return f"{mark}renamed-{secrets.token_hex(6)}"


@pytest.mark.parametrize("kind", ["public", "private"])
def test_the_creator_renames_a_channel_and_members_are_told_once(new_user: NewUser, sql: Sql, kind: str) -> None:
    creator, member, outsider = new_user(), new_user(), new_user()
    channel, other = creator.channel(kind), creator.channel(kind)
    creator.post(f"/channels/{channel['id']}/members", {"user_id": member.id})
    wanted = new_name("#" if kind == "public" else "")
    with creator.socket() as own, member.socket() as theirs, outsider.socket() as outside:
        answer = rename(creator, channel["id"], f"  {wanted} ")
        assert (answer.status_code, answer.json()) == (200, channel | {"name": wanted})
        frame = {
            "type": "channel_renamed", "channel_id": channel["id"], "channel_name": wanted, "renamed_by": creator.id,
        }  # fmt: skip
        for socket in (own, theirs):
            assert frames_until(socket, lambda one: one["type"] == "channel_renamed")[-1] == frame
        # A name that does not change is no news.
        assert rename(creator, channel["id"], wanted).status_code == 200
        creator.post_message(channel["id"], "the next frame")
        for socket in (own, theirs):
            frames = frames_until(socket, lambda one: one.get("content") == "the next frame")
            assert [one for one in frames if one["type"] == "channel_renamed"] == []
        assert frames_before_pong(outside) == []
    assert (name_of(sql, channel["id"]), name_of(sql, other["id"])) == (wanted, other["name"])
    found = creator.get("/channels/search", name=wanted).json()["items"]
    assert [one["id"] for one in found] == [channel["id"]]


@pytest.mark.parametrize(("kind", "code"), [("public", "not_the_creator"), ("private", "not_a_member")])
def test_only_the_creator_renames_a_channel(new_user: NewUser, sql: Sql, kind: str, code: str) -> None:
    creator, member, outsider = new_user(), new_user(), new_user()
    channel = creator.channel(kind)
    creator.post(f"/channels/{channel['id']}/members", {"user_id": member.id})
    for user, why in ((outsider, code), (member, "not_the_creator")):
        refused = rename(user, channel["id"], new_name())
        assert (refused.status_code, refused.json()["code"]) == (403, why)
    assert rename(creator, 2**62, new_name()).json()["code"] == "no_such_channel"
    assert name_of(sql, channel["id"]) == channel["name"]


def test_a_public_channel_keeps_a_public_name_of_its_own(new_user: NewUser, sql: Sql) -> None:
    creator = new_user()
    channel, taken = creator.channel(), creator.channel()
    for name in ("no mark", "#", "#  ", "", "#line\nbreak", "#" + "x" * 80, 7, None):
        refused = rename(creator, channel["id"], name)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), name
    for name in (taken["name"], taken["name"].upper()):
        refused = rename(creator, channel["id"], name)
        assert (refused.status_code, refused.json()["code"]) == (409, "channel_exists"), name
    assert name_of(sql, channel["id"]) == channel["name"]
    assert rename(creator, channel["id"], channel["name"].upper()).status_code == 200


def test_concurrent_renamings_to_one_name_give_it_to_one_channel(new_user: NewUser) -> None:
    creators = [new_user() for _ in range(4)]
    rooms = [(one, one.channel()["id"]) for one in creators]
    wanted = new_name()
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda room: rename(*room, wanted).status_code, rooms))
    assert sorted(statuses) == [200, 409, 409, 409]


def test_a_direct_channel_keeps_its_name_and_members(new_user: NewUser, sql: Sql) -> None:
    one, other, outsider = new_user(), new_user(), new_user()
    channel = one.post(f"/channels/dm/{other.id}").json()
    for user, status, code in (
        (one, 409, "direct_channel"),
        (other, 409, "direct_channel"),
        (outsider, 403, "not_a_member"),
    ):
        for refused in (rename(user, channel["id"], "mine"), remove(user, channel["id"], other)):
            assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert name_of(sql, channel["id"]) == channel["name"]
    assert is_member(sql, channel["id"], other)


@pytest.mark.parametrize("kind", ["public", "private"])
def test_the_creator_removes_a_member_and_all_are_told(new_user: NewUser, sql: Sql, kind: str) -> None:
    creator, gone, stays = new_user(), new_user(), new_user()
    channel, other = creator.channel(kind), creator.channel(kind)
    for room in (channel, other):
        for user in (gone, stays):
            creator.post(f"/channels/{room['id']}/members", {"user_id": user.id})
    said = gone.post_message(channel["id"], "before I went")
    with creator.socket() as own, gone.socket() as theirs, stays.socket() as third:
        answer = remove(creator, channel["id"], gone)
        assert (answer.status_code, answer.content) == (204, b"")
        frame = {
            "type": "leave", "user_id": gone.id, "username": gone.name, "display_name": gone.name,
            "channel_id": channel["id"], "channel_name": channel["name"],
        }  # fmt: skip
        for socket in (own, theirs, third):
            assert frames_until(socket, lambda one: one["type"] == "leave")[-1] == frame
        creator.post_message(channel["id"], "among ourselves")
        frames_until(third, lambda one: one.get("content") == "among ourselves")
        for socket in (own, theirs, third):
            assert [one for one in frames_before_pong(socket) if one["type"] == "leave"] == []
    assert [is_member(sql, room["id"], gone) for room in (channel, other)] == [False, True]
    assert is_member(sql, channel["id"], stays)
    assert gone.get(f"/channels/{channel['id']}/messages").status_code == 403
    listed = creator.get(f"/channels/{channel['id']}/messages").json()["items"]
    assert said["id"] in [one["id"] for one in listed]
    again = remove(creator, channel["id"], gone)
    assert (again.status_code, again.json()["code"]) == (404, "no_such_member")


@pytest.mark.parametrize(("kind", "code"), [("public", "not_the_creator"), ("private", "not_a_member")])
def test_only_the_creator_removes_others_and_members_remove_themselves(
    new_user: NewUser, sql: Sql, kind: str, code: str
) -> None:
    creator, member, other, outsider = (new_user() for _ in range(4))
    channel = creator.channel(kind)["id"]
    for user in (member, other):
        creator.post(f"/channels/{channel}/members", {"user_id": user.id})
    for user, why in ((outsider, code), (member, "not_the_creator")):
        for wanted in (other, creator):
            refused = remove(user, channel, wanted)
            assert (refused.status_code, refused.json()["code"]) == (403, why)
    assert all(is_member(sql, channel, user) for user in (creator, member, other))
    assert remove(member, channel, member).status_code == 204
    assert not is_member(sql, channel, member)
    assert remove(outsider, channel, outsider).json()["code"] == "no_such_member"
    assert remove(creator, 2**62, member).json()["code"] == "no_such_channel"


def test_a_creator_who_left_stays_the_creator(new_user: NewUser, sql: Sql) -> None:
    creator, member = new_user(), new_user()
    channel = creator.channel()["id"]
    member.post(f"/channels/{channel}/join")
    assert creator.post(f"/channels/{channel}/leave").status_code == 204
    assert rename(creator, channel, new_name()).status_code == 200
    assert remove(creator, channel, member).status_code == 204
