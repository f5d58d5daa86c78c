"""`python -m backend accounts` beside a running backend."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests
import websockets

from plumbline.verification.throwaway import through_caddy, wait_until

from .conftest import OPERATOR_PASSWORD, TIMEOUT_S, Backend, User, frames_until

NewUser = Callable[[], User]
Sql = psycopg.Connection[dict[str, Any]]
Accounts = Callable[..., subprocess.CompletedProcess[str]]
PASSWORD = "a long passphrase of five words"


@pytest.fixture
def accounts(backend: Backend) -> Accounts:
    """Run the command with these arguments; `stdin` is its standard input."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*backend.command("accounts"), *arguments],
            env=backend.environment, input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def log_in(user: User, password: str) -> requests.Response:
    form = {"username": user.name, "password": password}
    return through_caddy("POST", user.url + "/auth/login", data=form, timeout=TIMEOUT_S)


def recorded(sql: Sql, backend: Backend, username: str) -> list[str]:
    """Return the recorded changes of a user."""
    statement = (
        "SELECT event FROM stack_events WHERE stack_id = %s AND component = 'backend' AND detail = %s ORDER BY id"
    )
    return [row["event"] for row in sql.execute(statement, (backend.stack_id, username))]


def require_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert (done.returncode, done.stdout) == (1, ""), done
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def name(sql: Sql) -> Iterator[str]:
    """The name of a user that the test creates."""
    found = f"made-{secrets.token_hex(5)}"
    yield found
    sql.execute("DELETE FROM users WHERE username = %s", (found,))


def test_a_created_user_can_log_in(backend: Backend, accounts: Accounts, sql: Sql, name: str) -> None:
    done = accounts("--display-name", "Ada 😀", "create", name, stdin=f"{PASSWORD}\n")
    assert (done.returncode, done.stdout.strip()) == (0, f"created {name}"), done.stderr
    form = {"username": name, "password": PASSWORD}
    answer = through_caddy("POST", backend.url + "/auth/login", data=form, timeout=TIMEOUT_S)
    assert answer.status_code == 200
    assert (answer.json()["user"]["display_name"], answer.json()["user"]["is_operator"]) == ("Ada 😀", False)
    require_refused(accounts("create", name.upper(), stdin=f"{PASSWORD}\n"), "taken")
    assert recorded(sql, backend, name) == ["user_created"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (["create", "x"], PASSWORD, "username"),
        (["create", "some-name"], "short", "password"),
        (["create", "some-name"], "password123", "too easy to guess"),
        (["create", "some-name"], "", "no password"),
        (["create"], PASSWORD, "name the user"),
        (["disable", "no-such-user"], "", "no user"),
        (["reset-password", "no-such-user"], PASSWORD, "no user"),
        (["reset-password", "operator"], PASSWORD, "secret file"),
        (["delete", "operator"], "", "disable the account instead"),
        (["disable", "operator"], "", "last operator"),
        (["demote", "operator"], "", "last operator"),
    ],
)
def test_a_change_that_is_not_possible_is_refused_in_a_sentence(
    accounts: Accounts, sql: Sql, arguments: list[str], stdin: str, reason: str
) -> None:
    before = sql.execute("SELECT count(*) AS n, max(id) AS last FROM stack_events").fetchone()
    done = accounts(*arguments, stdin=stdin)
    require_refused(done, reason)
    assert not stdin or stdin not in done.stderr
    assert sql.execute("SELECT count(*) AS n, max(id) AS last FROM stack_events").fetchone() == before


def test_a_disabled_user_is_out_and_comes_back_with_a_login(
    backend: Backend, accounts: Accounts, new_user: NewUser, sql: Sql
) -> None:
    user = new_user()
    with user.socket() as socket:
        done = accounts("disable", user.name.upper())
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"{user.name} is disabled", "")
        with pytest.raises(websockets.ConnectionClosed):
            frames_until(socket, lambda _: False)
        assert socket.protocol.close_code == 4401
    wait_until(lambda: {user.get("/auth/me").status_code for _ in range(20)} == {401}, "the session is refused")
    assert log_in(user, user.password).json()["code"] == "account_disabled"
    assert accounts("disable", user.name).stdout.strip() == f"{user.name} is disabled already"
    assert accounts("enable", user.name).stdout.strip() == f"{user.name} is enabled"
    assert log_in(user, user.password).status_code == 200
    # What was ended stays so.
    assert {user.get("/auth/me").status_code for _ in range(20)} == {401}
    assert recorded(sql, backend, user.name) == ["user_disabled", "user_enabled"]


def test_a_reset_password_ends_all_sessions(backend: Backend, accounts: Accounts, new_user: NewUser, sql: Sql) -> None:
    user = new_user()
    done = accounts("reset-password", user.name, stdin=f"{PASSWORD}\n")
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(lambda: {user.get("/auth/me").status_code for _ in range(20)} == {401}, "the session is refused")
    assert log_in(user, user.password).json()["code"] == "wrong_credentials"
    assert log_in(user, PASSWORD).status_code == 200
    assert recorded(sql, backend, user.name) == ["user_password_reset"]


def test_a_promoted_user_is_an_operator_until_demoted(
    backend: Backend, accounts: Accounts, new_user: NewUser, sql: Sql
) -> None:
    user = new_user()
    assert accounts("promote", user.name).stdout.strip() == f"{user.name} is an operator"
    token = log_in(user, user.password).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}

    def statuses() -> set[int]:
        address = backend.url + "/auth/operator"
        return {through_caddy("GET", address, headers=bearer, timeout=TIMEOUT_S).status_code for _ in range(20)}

    assert statuses() == {200}
    assert accounts("demote", user.name).stdout.strip() == f"{user.name} is no operator"
    wait_until(lambda: statuses() == {403}, "the rights are gone")
    assert recorded(sql, backend, user.name) == ["user_promoted", "user_demoted"]


def test_the_last_enabled_operator_stays_one(accounts: Accounts, new_user: NewUser, sql: Sql) -> None:
    user = new_user()
    assert accounts("promote", user.name).returncode == 0
    assert accounts("disable", "operator").returncode == 0
    try:
        for action in ("disable", "demote", "delete"):
            require_refused(accounts(action, user.name), "last operator")
        body = {"password": user.password}
        answer = user.http.delete(user.url + "/auth/me", json=body, timeout=TIMEOUT_S)
        assert answer.json()["code"] == "last_operator"
    finally:
        assert accounts("enable", "operator").returncode == 0
        assert accounts("demote", user.name).returncode == 0


def test_a_deleted_users_messages_stay_under_a_placeholder(
    backend: Backend, accounts: Accounts, new_user: NewUser, sql: Sql
) -> None:
    leaver, friend = new_user(), new_user()
    channel = leaver.channel()
    friend.post(f"/channels/{channel['id']}/join")
    said = leaver.post_message(channel["id"], "remember me")
    with friend.socket() as theirs:
        assert accounts("delete", leaver.name).stdout.strip() == f"{leaver.name} is deleted"
        left = frames_until(theirs, lambda frame: frame["type"] == "leave")[-1]
    assert (left["user_id"], left["channel_id"]) == (leaver.id, channel["id"])
    listed = friend.get(f"/channels/{channel['id']}/messages").json()["items"]
    shown = next(one for one in listed if one["id"] == said["id"])
    assert shown == {**said, "sender_id": None, "username": "(deleted)", "display_name": "Deleted user"}
    welcome = next(one for one in listed if one["target_user_id"] == friend.id)
    assert (welcome["sender_id"], welcome["username"], welcome["display_name"]) == (None, None, None)
    wait_until(lambda: {leaver.get("/auth/me").status_code for _ in range(20)} == {401}, "the session is refused")
    assert recorded(sql, backend, leaver.name) == ["user_deleted"]
    require_refused(accounts("delete", leaver.name), "no user")


def test_users_are_listed_with_their_state(accounts: Accounts, new_user: NewUser) -> None:
    user, other = new_user(), new_user()
    assert accounts("disable", other.name).returncode == 0
    rows = {one["username"]: one for one in map(json.loads, accounts("--json", "list").stdout.splitlines())}
    assert {rows[user.name]["id"], rows[other.name]["id"]} == {user.id, other.id}
    states = {name: (rows[name]["is_operator"], rows[name]["is_disabled"], rows[name]["open_sessions"])
              for name in (user.name, other.name)}  # fmt: skip
    assert states == {user.name: (False, False, 1), other.name: (False, True, 0)}
    lines = accounts("list").stdout.splitlines()
    assert lines[0].split() == ["id", "username", "display_name", "role", "state", "open_sessions"]
    (line,) = [one for one in lines if other.name in one.split()]
    assert line.split() == [str(other.id), other.name, other.name, "user", "disabled", "0"]
    assert "password" not in "".join(lines) + str(rows)


def test_without_redis_the_change_is_made_and_the_delay_is_told(
    backend: Backend, accounts: Accounts, new_user: NewUser
) -> None:
    user = new_user()
    environment = dict(backend.environment)
    backend.environment["PLUMBLINE_REDIS_URL"] = "redis://127.0.0.1:1/0"
    try:
        done = accounts("disable", user.name)
    finally:
        backend.environment.update(environment)
    assert (done.returncode, done.stdout.strip()) == (0, f"{user.name} is disabled")
    assert "Redis was not told" in done.stderr
    assert "Traceback" not in done.stderr
    wait_until(lambda: {user.get("/auth/me").status_code for _ in range(20)} == {401}, "the session is refused")


def test_without_postgres_the_command_says_so(backend: Backend, accounts: Accounts) -> None:
    environment = dict(backend.environment)
    backend.environment["PLUMBLINE_POSTGRES_PORT"] = "1"
    try:
        done = accounts("list")
    finally:
        backend.environment.update(environment)
    assert done.returncode == 75
    assert "the database cannot be used" in done.stderr
    assert OPERATOR_PASSWORD not in done.stderr
