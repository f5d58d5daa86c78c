"""The end of sessions: by logging out, by another password, by disabling their user, and by expiry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
import redis
import requests
import websockets
from backend.database import Database
from backend.pruning import prune
from servicekit.facts import OPERATORS_KEY
from websockets.sync.client import ClientConnection

from plumbline.verification.throwaway import THROUGH_CADDY, PostgresServer, RedisServer, through_caddy, wait_until

from .conftest import OPERATOR_PASSWORD, TIMEOUT_S, Backend, User, frames_before_pong, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]


class Device:
    """Another session of a user."""

    def __init__(self, user: User, password: str = "") -> None:
        self.user = user
        self.http = requests.Session()
        self.http.headers.update(THROUGH_CADDY)
        form = {"username": user.name, "password": password or user.password}
        self.login = self.http.post(user.url + "/auth/login", data=form, timeout=TIMEOUT_S)

    @property
    def token(self) -> str:
        return str(self.login.json()["access_token"])

    def statuses(self) -> set[int]:
        """Return the statuses of so many calls that every process answers one."""
        bearer = THROUGH_CADDY | {"Authorization": f"Bearer {self.token}"}
        return {
            requests.get(self.user.url + "/auth/me", headers=bearer, timeout=TIMEOUT_S).status_code for _ in range(20)
        }

    def post(self, path: str, body: object = None) -> requests.Response:
        return self.http.post(self.user.url + path, json=body, timeout=TIMEOUT_S)

    def socket(self) -> ClientConnection:
        return self.user.socket(Cookie=f"access_token={self.token}")


def closed_with(socket: ClientConnection) -> int | None:
    with pytest.raises(websockets.ConnectionClosed):
        frames_until(socket, lambda _: False)
    return socket.protocol.close_code


def rows_of(sql: Sql, user: User) -> set[str]:
    """Return the ids of the user's sessions in the database."""
    return {str(row["id"]) for row in sql.execute("SELECT id FROM sessions WHERE user_id = %s", (user.id,))}


def session_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def test_logging_out_ends_that_session_in_every_process_and_no_other(new_user: NewUser, sql: Sql) -> None:
    user = new_user()
    laptop, phone = Device(user), Device(user)
    assert (laptop.statuses(), phone.statuses()) == ({200}, {200})
    assert {session_of(laptop.token), session_of(phone.token)} < rows_of(sql, user)
    with laptop.socket() as ended, phone.socket() as open_:
        assert laptop.post("/auth/logout").status_code == 204
        assert session_of(laptop.token) not in rows_of(sql, user)
        assert closed_with(ended) == 4401
        wait_until(lambda: laptop.statuses() == {401}, "the ended session is refused by every process")
        assert frames_before_pong(open_) == []
    with pytest.raises(websockets.InvalidStatus) as refused:
        laptop.socket()
    assert refused.value.response.status_code == 401
    assert phone.statuses() == {200}
    assert laptop.post("/auth/logout").status_code == 204


@pytest.mark.parametrize("token", [None, "garbage", "expired"])
def test_logging_out_without_a_session_clears_the_cookie(
    backend: Backend, new_user: NewUser, token: str | None
) -> None:
    user = new_user()
    sent = user.token_for(backend.token_secret, -5) if token == "expired" else token
    headers = {"Authorization": f"Bearer {sent}"} if sent else {}
    answer = through_caddy("POST", backend.url + "/auth/logout", headers=headers, timeout=TIMEOUT_S)
    assert (answer.status_code, 'access_token=""' in answer.headers["Set-Cookie"]) == (204, True)
    assert user.get("/auth/me").status_code == 200


def test_a_new_password_ends_all_other_sessions(new_user: NewUser, sql: Sql) -> None:
    user = new_user()
    own, other = Device(user), Device(user)
    new = "another passphrase of five words"
    with own.socket() as mine, other.socket() as theirs:
        answer = own.post("/auth/password", {"password": user.password, "new_password": new})
        assert (answer.status_code, answer.content) == (204, b"")
        assert closed_with(theirs) == 4401
        wait_until(lambda: other.statuses() == {401}, "the other session is refused by every process")
        assert frames_before_pong(mine) == []
        assert own.statuses() == {200}
    assert Device(user).login.json()["code"] == "wrong_credentials"
    again = Device(user, new)
    assert again.statuses() == {200}
    assert again.post("/auth/password", {"password": new, "new_password": user.password}).status_code == 204
    wait_until(lambda: own.statuses() == {401}, "the session that was kept before ends like any other")


def test_a_password_is_changed_only_with_the_present_one_and_to_a_good_one(new_user: NewUser) -> None:
    user = new_user()
    other = Device(user)
    fine = "another passphrase of five words"
    for body, status, code in (
        ({"password": "not it", "new_password": fine}, 403, "wrong_password"),
        ({"password": user.password, "new_password": "short"}, 422, "invalid"),
        ({"password": user.password, "new_password": "password123"}, 422, "invalid"),
        ({"password": user.password, "new_password": user.name}, 422, "invalid"),
        ({"new_password": fine}, 422, "invalid"),
    ):
        refused = user.post("/auth/password", body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
        assert fine not in refused.text
    assert other.statuses() == {200}
    assert Device(user).login.status_code == 200


def test_guesses_of_the_present_password_are_throttled(new_user: NewUser) -> None:
    user = new_user()
    body = {"password": "a guess", "new_password": "another passphrase of five words"}
    statuses = []
    while 429 not in statuses and len(statuses) < 100:
        statuses.append(user.post("/auth/password", body).status_code)
    assert statuses == [403] * 30 + [429]


def test_the_first_operators_password_stays_in_its_file(backend: Backend) -> None:
    with requests.Session() as http:
        http.headers.update(THROUGH_CADDY)
        form = {"username": "operator", "password": OPERATOR_PASSWORD}
        assert http.post(backend.url + "/auth/login", data=form, timeout=TIMEOUT_S).status_code == 200
        body = {"password": OPERATOR_PASSWORD, "new_password": "another passphrase of five words"}
        refused = http.post(backend.url + "/auth/password", json=body, timeout=TIMEOUT_S)
    assert (refused.status_code, refused.json()["code"]) == (409, "password_in_file")
    assert "operator_password" in refused.json()["detail"]


@pytest.mark.parametrize("change", ["password_hash = 'x', session_version = 1", "disabled_at = now()"])
def test_a_login_during_a_change_of_its_user_opens_no_session(
    new_user: NewUser, postgres_server: PostgresServer, change: str
) -> None:
    user = new_user()
    with psycopg.connect(postgres_server.conninfo) as changing:
        changing.execute(f"UPDATE users SET {change} WHERE id = %s".encode(), (user.id,))
        device = Device(user)
        changing.commit()
    wait_until(lambda: device.statuses() == {401}, "the session is refused by every process")


def test_a_disabled_users_sessions_open_nothing_and_their_login_says_why(new_user: NewUser, sql: Sql) -> None:
    user, other = new_user(), new_user()
    device = Device(user)
    with device.socket() as theirs, other.socket() as mine:
        sql.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (user.id,))
        assert closed_with(theirs) == 4401
        wait_until(lambda: device.statuses() == {401}, "the session is refused by every process")
        assert frames_before_pong(mine) == []
    assert "disabled" in user.get("/auth/me").json()["detail"]
    refused = Device(user).login
    assert (refused.status_code, refused.json()["code"]) == (403, "account_disabled")
    assert Device(user, "not it").login.json()["code"] == "wrong_credentials"


def test_the_session_of_another_user_opens_nothing(backend: Backend, new_user: NewUser) -> None:
    user, other = new_user(), new_user()
    claims = jwt.decode(user.token, options={"verify_signature": False})
    mixed = jwt.encode(claims | {"sub": str(other.id)}, backend.token_secret, algorithm="HS256")
    headers = {"Authorization": f"Bearer {mixed}"}
    assert through_caddy("GET", backend.url + "/auth/me", headers=headers, timeout=TIMEOUT_S).status_code == 401


def test_the_end_of_an_operators_session_ends_live_tails_and_that_of_others_does_not(
    backend: Backend, new_user: NewUser, sql: Sql, redis_server: RedisServer
) -> None:
    operator, user = new_user(), new_user()
    sql.execute("UPDATE users SET is_operator = true WHERE id = %s", (operator.id,))
    device, own = Device(operator), Device(user)
    with closing(redis.Redis.from_url(redis_server.admin_url)) as store:
        before = store.get(OPERATORS_KEY)
        assert own.post("/auth/logout").status_code == 204
        assert device.post("/auth/logout").status_code == 204
        wait_until(lambda: store.get(OPERATORS_KEY) != before, "the recorder is told")
        assert int(store.get(OPERATORS_KEY) or 0) == int(before or 0) + 1
    sql.execute("UPDATE users SET is_operator = false WHERE id = %s", (operator.id,))


@pytest.fixture
def brief(
    backend: Backend, tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Backend]:
    """Another server of the same stack, whose sessions are short."""
    server = Backend(tmp_path, postgres_server, redis_server.url, workers=1, session_ttl_s=1)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_sessions_last_as_long_as_the_setting_says(backend: Backend, brief: Backend) -> None:
    device = Device(User(brief.url))
    assert device.login.json()["expires_in"] == 1
    wait_until(lambda: device.statuses() == {401}, "the session has expired")


def test_expired_sessions_are_deleted_and_no_others(
    new_user: NewUser, sql: Sql, postgres_server: PostgresServer
) -> None:
    user = new_user()
    expired, open_ = session_of(user.token), session_of(Device(user).token)
    sql.execute("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = %s", (expired,))

    async def delete_old_rows() -> None:
        database = Database(postgres_server.conninfo, 1)
        await database.open()
        try:
            await prune(database)
        finally:
            await database.close()

    asyncio.run(delete_old_rows())
    assert rows_of(sql, user) == {open_}
