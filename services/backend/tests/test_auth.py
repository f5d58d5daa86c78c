from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import psycopg
import pytest
import requests
from servicekit.tokens import Identity, issue, new_session_id

from plumbline.verification.throwaway import through_caddy, wait_until

from .conftest import OPERATOR_PASSWORD, TIMEOUT_S, Backend, User

NewUser = Callable[[], User]


def login(backend: Backend, username: str, password: str, address: str | None = None) -> requests.Response:
    headers = {"X-Forwarded-For": address or f"198.51.100.{secrets.randbelow(250)}"}
    form = {"username": username, "password": password}
    return through_caddy("POST", backend.url + "/auth/login", data=form, headers=headers, timeout=TIMEOUT_S)


def test_registration_stores_a_hash_and_sets_an_http_only_cookie(
    backend: Backend, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    name = f"Reg-{secrets.token_hex(5)}"
    response = through_caddy(
        "POST",
        backend.url + "/auth/register",
        json={"username": name, "password": "correct horse", "display_name": " Rég 😀 "},
        timeout=TIMEOUT_S,
    )
    assert response.status_code == 201
    row = sql.execute("SELECT * FROM users WHERE username = %s", (name,)).fetchone()
    assert row is not None
    assert response.json() == {"id": row["id"], "username": name, "display_name": "Rég 😀", "is_operator": False}
    assert row["password_hash"].startswith("$argon2id$")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "ab", "password": "long enough"}, "username"),
        ({"username": "with space", "password": "long enough"}, "username"),
        ({"username": "name\n", "password": "long enough"}, "username"),
        ({"username": "x" * 33, "password": "long enough"}, "username"),
        ({"username": "naïve", "password": "long enough"}, "username"),
        ({"username": 12345, "password": "long enough"}, "username"),
        ({"username": "fine-name", "password": "short"}, "password"),
        ({"username": "fine-name", "password": "nul \0 inside"}, "password"),
        ({"username": "fine-name", "password": "long enough", "display_name": "  "}, "display_name"),
        ({"username": "fine-name"}, "password"),
    ],
)
def test_registration_refuses_invalid_bodies(backend: Backend, body: dict[str, Any], field: str) -> None:
    response = through_caddy("POST", backend.url + "/auth/register", json=body, timeout=TIMEOUT_S)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_refusals_never_repeat_the_password(backend: Backend) -> None:
    body = {"username": "no", "password": "a-most-secret-thing" * 20}
    response = through_caddy("POST", backend.url + "/auth/register", json=body, timeout=TIMEOUT_S)
    assert response.status_code == 422
    assert "a-most-secret-thing" not in response.text


def test_concurrent_registrations_of_one_name_in_any_case_create_one_user(backend: Backend) -> None:
    name = f"race-{secrets.token_hex(5)}"

    def register(spelling: str) -> int:
        body = {"username": spelling, "password": "long enough"}
        return through_caddy("POST", backend.url + "/auth/register", json=body, timeout=TIMEOUT_S).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(register, [name, name.upper(), name.title(), name] * 2))
    assert sorted(statuses) == [201] + [409] * 7


def test_login_returns_a_bearer_token_that_works_without_the_cookie(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    response = login(backend, user.name.upper(), user.password)
    assert response.status_code == 200
    body = response.json()
    assert body["token_type"] == "bearer"
    assert body["expires_in"] > 0
    assert body["user"]["id"] == user.id
    me = through_caddy(
        "GET", backend.url + "/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"}, timeout=TIMEOUT_S
    )
    assert me.json() == body["user"]


def test_login_refuses_a_wrong_password_and_an_unknown_name_alike(backend: Backend, new_user: NewUser) -> None:
    wrong = login(backend, new_user().name, "not the password")
    unknown = login(backend, "nobody-" + secrets.token_hex(5), "not the password")
    nul = login(backend, "nul\0", "whatever it is")
    assert (wrong.status_code, unknown.status_code, nul.status_code) == (401, 401, 422)
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_failed_logins_are_throttled_for_their_name_and_address_only(backend: Backend, new_user: NewUser) -> None:
    victim = new_user()
    hammer, home = "203.0.113.7", "203.0.113.8"
    statuses = []
    while 429 not in statuses and len(statuses) < 100:
        response = login(backend, victim.name, "guess", hammer)
        statuses.append(response.status_code)
    assert statuses == [401] * 30 + [429]
    assert int(response.headers["retry-after"]) > 0
    assert login(backend, victim.name, victim.password, hammer).status_code == 429
    assert login(backend, victim.name, victim.password, home).status_code == 200


def test_logging_out_clears_the_cookie(new_user: NewUser) -> None:
    user = new_user()
    assert user.post("/auth/logout").status_code == 204
    assert "access_token" not in user.http.cookies
    assert user.get("/auth/me").status_code == 401


def test_an_invalid_token_is_refused_with_the_reason(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    forged = user.token_for("another key, of another stack, just as long", 600)
    expired = user.token_for(backend.token_secret, -5)
    unsigned = jwt.encode({"sub": str(user.id), "exp": time.time() + 600}, "", algorithm="none")
    reasons = {}
    for name, token in {"forged": forged, "expired": expired, "unsigned": unsigned, "garbage": "a.b.c"}.items():
        response = through_caddy(
            "GET", backend.url + "/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
        )
        assert response.status_code == 401
        reasons[name] = response.json()["detail"]
    assert "expired" in reasons["expired"]
    assert "not signed by this stack" in reasons["forged"]
    assert "malformed" in reasons["garbage"]
    backend.wait_for_entries("the forged token", message="not signed by this stack", level="warning")


def test_a_session_of_an_unknown_user_is_refused(backend: Backend) -> None:
    ghost = {"Authorization": f"Bearer {issue(backend.token_secret, Identity(2**62, 'ghost'), new_session_id(), 600)}"}
    for method, path, body in [
        ("GET", "/auth/me", None),
        ("POST", "/channels/", {"name": "#ghosts"}),
        ("POST", "/channels/dm/1", None),
    ]:
        response = through_caddy(method, backend.url + path, json=body, headers=ghost, timeout=TIMEOUT_S)
        assert response.status_code == 401, (path, response.text)


def test_a_deleted_users_token_is_refused_by_every_route(
    backend: Backend, new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    gone = new_user()
    room = new_user().channel()
    operator = {"Authorization": f"Bearer {gone.token_for(backend.token_secret, 600, is_operator=True)}"}
    assert gone.get("/channels/").status_code == 200
    sql.execute("DELETE FROM users WHERE id = %s", (gone.id,))
    # Each of the two processes may use a cached answer for two seconds.
    wait_until(
        lambda: {gone.get("/channels/").status_code for _ in range(20)} == {401}, "the token is refused everywhere"
    )
    schema = through_caddy("GET", backend.url + "/openapi.json", timeout=TIMEOUT_S).json()
    calls = [
        (method, path)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if operation.get("security")
    ]
    assert len(calls) >= 14
    bodies: dict[str, object] = {
        "/channels/": {"name": "#ghosts"},
        "/channels/{channel_id}/members": {"user_id": 1},
        "/channels/{channel_id}/messages": {"content": "boo"},
    }
    for method, path in calls:
        address = path.format(channel_id=room["id"], user_id=1, invite_id=1)
        answer = through_caddy(
            method,
            backend.url + address,
            params={"name": "x"},
            json=bodies.get(path) if method == "post" else None,
            headers=operator,
            timeout=TIMEOUT_S,
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path, answer.text)


def test_a_former_operator_is_refused(
    backend: Backend, new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    former = new_user()
    sql.execute("UPDATE users SET is_operator = true WHERE id = %s", (former.id,))
    token = former.token_for(backend.token_secret, 600, is_operator=True)

    def status() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return through_caddy("GET", backend.url + "/auth/operator", headers=headers, timeout=TIMEOUT_S).status_code

    wait_until(lambda: status() == 200, "the row post_message operator")
    sql.execute("UPDATE users SET is_operator = false WHERE id = %s", (former.id,))
    wait_until(lambda: {status() for _ in range(20)} == {403}, "the row post_message otherwise")


def test_only_operators_pass_the_operator_check(backend: Backend, new_user: NewUser) -> None:
    operator = login(backend, "operator", OPERATOR_PASSWORD).json()["access_token"]
    response = through_caddy(
        "GET", backend.url + "/auth/operator", headers={"Authorization": f"Bearer {operator}"}, timeout=TIMEOUT_S
    )
    assert response.status_code == 200
    assert response.headers["x-operator"] == "operator"
    assert new_user().get("/auth/operator").status_code == 403
    assert through_caddy("GET", backend.url + "/auth/operator", timeout=TIMEOUT_S).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_cross_site_requests_with_the_cookie_are_refused(
    backend: Backend, new_user: NewUser, headers: dict[str, str]
) -> None:
    user, channel = new_user(), new_user().channel()["id"]
    form = {"username": user.name, "password": user.password}
    for path, data in ((f"/channels/{channel}/join", None), ("/auth/login", form), ("/auth/logout", None)):
        response = user.http.post(backend.url + path, data=data, headers=headers, timeout=TIMEOUT_S)
        assert (response.status_code, response.json()["code"]) == (403, "foreign_origin"), path
        assert "set-cookie" not in response.headers
    assert user.post(f"/channels/{channel}/messages", {"content": "not a member"}).status_code == 403
    assert user.http.get(backend.url + "/auth/me", headers=headers, timeout=TIMEOUT_S).status_code == 200


def test_same_origin_requests_and_bearer_tokens_are_accepted(backend: Backend, new_user: NewUser) -> None:
    user, channel = new_user(), new_user().channel()["id"]
    join = f"{backend.url}/channels/{channel}/join"
    for own in ({"Origin": backend.url}, {"Sec-Fetch-Site": "same-origin"}, {}):
        assert user.http.post(join, headers=own, timeout=TIMEOUT_S).status_code == 200
    program = {"Authorization": f"Bearer {user.token}", "Origin": "https://elsewhere.example"}
    assert through_caddy("POST", join, headers=program, timeout=TIMEOUT_S).status_code == 200


def test_head_is_answered_like_get_without_a_body(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    for path in ("/health", "/health/live", "/auth/me", "/channels/", "/nothing"):
        got = user.get(path)
        asked = user.http.head(backend.url + path, timeout=TIMEOUT_S)
        assert (asked.status_code, asked.content) == (got.status_code, b""), path
        assert asked.headers["content-type"] == got.headers["content-type"]
