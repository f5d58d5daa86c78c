from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend, User, description

NewUser = Callable[[], User]


def test_a_message_is_stored_unchanged(new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]) -> None:
    user = new_user()
    channel = user.channel()["id"]
    content = "  line one\nline two \u2028 😀 'quotes' \\ <b>"
    body = {"content": content, "image_url": "/data-processor/documents/7/content"}
    posted = user.post(f"/channels/{channel}/messages", body)
    assert posted.status_code == 201
    row = sql.execute("SELECT * FROM messages WHERE id = %s", (posted.json()["id"],)).fetchone()
    assert row is not None
    assert (row["content"], row["image_url"]) == (content, body["image_url"])
    assert (row["sender_id"], row["channel_id"], row["target_user_id"]) == (user.id, channel, None)
    assert posted.json() == {
        "id": row["id"],
        "content": content,
        "image_url": body["image_url"],
        "sender_id": user.id,
        "username": user.name,
        "display_name": user.name,
        "channel_id": channel,
        "timestamp": row["created_at"].isoformat(),
        "target_user_id": None,
    }
    assert user.get(f"/channels/{channel}/messages").json()["items"][-1] == posted.json()


def test_pages_go_back_in_time_without_gaps_and_are_oldest_first(new_user: NewUser) -> None:
    user, other = new_user(), new_user()
    channel = user.channel()["id"]
    said = [user.post_message(channel, f"message {number}")["id"] for number in range(3)]
    other.post(f"/channels/{channel}/join")
    said += [other.post_message(channel, f"message {number}")["id"] for number in range(3, 7)]

    def everything(reader: User) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        mark: dict[str, int] = {}
        while True:
            page = reader.get(f"/channels/{channel}/messages", limit=3, **mark).json()
            assert [item["id"] for item in page["items"]] == sorted(item["id"] for item in page["items"])
            found = page["items"] + found
            if page["next"] is None:
                return found
            assert page["next"] == page["items"][0]["id"]
            mark = {"before": page["next"]}

    for reader in (user, other):
        items = everything(reader)
        assert [item["id"] for item in items if item["sender_id"]] == said
        welcomes = [item["target_user_id"] for item in items if item["sender_id"] is None]
        assert welcomes == [reader.id]


def test_a_page_can_be_empty(new_user: NewUser) -> None:
    user = new_user()
    channel = user.channel()["id"]
    response = user.get(f"/channels/{channel}/messages", before=1)
    assert (response.status_code, response.json()) == (200, {"items": [], "next": None})


@pytest.mark.parametrize(
    "body",
    [
        b'{"content": ""}',
        b'{"content": null}',
        b'{"content": 5}',
        b"{}",
        b"",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"content": "nul \\u0000"}',
        b'{"content": "half \\ud800"}',
        b'{"content": "' + b"x" * 8001 + b'"}',
        b'{"content": "x", "image_url": "javascript:alert(1)"}',
        b'{"content": "x", "image_url": "//elsewhere.example/x"}',
        b'{"content": "x", "image_url": "http://"}',
        b'{"content": "x", "image_url": "http://[broken"}',
        b'{"content": "x", "image_url": "/a b"}',
        b'{"content": "x", "image_url": "/\\u0000"}',
        b'{"content": ' + b"9" * 5000 + b"}",
        b"[" * 20000,
    ],
)
def test_post_refuses_invalid_bodies(backend: Backend, new_user: NewUser, body: bytes) -> None:
    user = new_user()
    channel = user.channel()["id"]
    response = through_caddy(
        "POST",
        f"{backend.url}/channels/{channel}/messages",
        data=body,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"},
        timeout=TIMEOUT_S,
    )
    assert response.status_code == 422, response.text
    description(backend.url).check("POST", f"/channels/{channel}/messages", response)
    assert len(user.get(f"/channels/{channel}/messages").json()["items"]) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(backend: Backend, new_user: NewUser, *, chunked: bool) -> None:
    user = new_user()
    body = b'{"content": "' + b"x" * 70_000 + b'"}'
    response = through_caddy(
        "POST",
        f"{backend.url}/channels/{user.channel()['id']}/messages",
        data=iter([body[:40_000], body[40_000:]]) if chunked else body,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"},
        timeout=TIMEOUT_S,
    )
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


def test_a_body_of_another_media_type_is_refused(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    response = through_caddy(
        "POST",
        f"{backend.url}/channels/{user.channel()['id']}/messages",
        data="content=x",
        headers={"Content-Type": "text/plain", "Authorization": f"Bearer {user.token}"},
        timeout=TIMEOUT_S,
    )
    assert response.status_code == 415
    assert response.json()["code"] == "wrong_media_type"


def test_truncated_json_is_refused_as_invalid_json(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}
    response = through_caddy("POST", f"{backend.url}/channels/", data="{", headers=headers, timeout=TIMEOUT_S)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_json")


def test_every_answer_has_the_given_request_id_or_a_new_one(backend: Backend) -> None:
    given = through_caddy(
        "GET", backend.url + "/nowhere", headers={"X-Request-Id": "given-by-caddy"}, timeout=TIMEOUT_S
    )
    assert given.status_code == 404
    assert given.headers["x-request-id"] == given.json()["request_id"] == "given-by-caddy"
    odd = through_caddy("GET", backend.url + "/auth/me", headers={"X-Request-Id": "odd id {}"}, timeout=TIMEOUT_S)
    assert odd.headers["x-request-id"] == odd.json()["request_id"]
    assert odd.headers["x-request-id"] != "odd id {}"
    assert through_caddy("DELETE", backend.url + "/health", timeout=TIMEOUT_S).status_code == 405
