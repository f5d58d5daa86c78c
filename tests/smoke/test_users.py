"""`deploy-local.sh user`, on the running stack: over the command, HTTP and in the database.

Protects from operators who cannot administer accounts, or lock themselves out.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from plumbline import ROOT
from plumbline.errors import NotGivenError
from plumbline.stack import Stack
from plumbline.verification.checks import rows, sessions
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
Command = Callable[..., subprocess.CompletedProcess[str]]
PASSWORD = "a long passphrase of five words"


@pytest.fixture
def command(stack: Stack) -> Command:
    """Run `deploy-local.sh user` on the stack; `stdin` is its standard input."""
    if not stack.home:
        raise NotGivenError("needs the stack's home (not available for a remote stack)")

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "plumbline", "user", *arguments, "--home", stack.home],
            cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=300, check=False,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'services/servicekit'}"},
        )  # fmt: skip

    return run


def require_done(done: subprocess.CompletedProcess[str], said: str) -> None:
    found = (done.returncode, done.stdout.strip(), done.stderr.strip())
    assert found == (0, said, ""), f"deploy-local.sh user: expected {said!r}, found {found}"


def recorded(database: Database, stack: Stack, username: str) -> list[str]:
    found = rows.many(database, "stack_events", stack_id=stack.stack_id, component="backend", detail=username)
    return [row["event"] for row in sorted(found, key=lambda row: row["id"])]


@pytest.fixture
def user(new_user: Callable[[], User]) -> User:
    return new_user()


@pytest.fixture
def name(command: Command, database: Database) -> Iterator[str]:
    """The name of a user that a check creates with the command."""
    made = f"{PREFIX}{secrets.token_hex(5)}"
    yield made
    if rows.many(database, "users", username=made):
        require_done(command("delete", made), f"{made} is deleted")


def test_a_user_is_created_and_deleted(
    command: Command, alice: User, stack: Stack, database: Database, name: str
) -> None:
    require_done(command("create", name, "--display-name", "Ada", stdin=f"{PASSWORD}\n"), f"created {name}")
    row = rows.one(database, "users", username=name)
    assert (row["display_name"], row["is_operator"], row["disabled_at"]) == ("Ada", False, None)
    form = {"username": name, "password": PASSWORD}
    alice.call("POST", "/auth/login", data=form).expect(200)
    require_done(command("delete", name), f"{name} is deleted")
    assert rows.many(database, "users", username=name) == []
    assert rows.many(database, "sessions", user_id=row["id"]) == []
    assert recorded(database, stack, name) == ["user_created", "user_deleted"]
    refused = command("create", name, stdin="password123\n")
    assert (refused.returncode, refused.stdout) == (1, ""), refused
    assert "too easy to guess" in refused.stderr
    assert rows.many(database, "users", username=name) == []


def test_a_disabled_user_is_out_until_enabled(command: Command, user: User, stack: Stack, database: Database) -> None:
    """Protects from users whom an operator has disabled, and who go on."""
    with user.socket() as socket:
        require_done(command("disable", user.username), f"{user.username} is disabled")
        assert socket.closed_with() == 4401
    assert rows.one(database, "users", id=user.id)["disabled_at"] is not None
    for path in sessions.PATHS.values():
        sessions.refused_by_all(user, path)
    assert user.login().expect_problem(403)["code"] == "account_disabled"
    require_done(command("enable", user.username), f"{user.username} is enabled")
    assert rows.one(database, "users", id=user.id)["disabled_at"] is None
    user.login().expect(200)
    user.get("/auth/me").expect_problem(401)
    assert recorded(database, stack, user.username) == ["user_disabled", "user_enabled"]


def test_a_reset_password_ends_all_sessions(command: Command, user: User, stack: Stack, database: Database) -> None:
    """Protects from an intruder who stays logged in after the password was changed."""
    before = rows.one(database, "users", id=user.id)
    done = command("reset-password", user.username, stdin=f"{PASSWORD}\n")
    require_done(done, f"{user.username} has a new password")
    old = user.password
    user.remember(PASSWORD)
    for path in sessions.PATHS.values():
        sessions.refused_by_all(user, path)
    after = rows.one(database, "users", id=user.id)
    assert {column for column in after if after[column] != before[column]} == {"password_hash", "session_version"}
    form = {"username": user.username, "password": old}
    user.call("POST", "/auth/login", data=form).expect_problem(401)
    user.login().expect(200)
    assert recorded(database, stack, user.username) == ["user_password_reset"]


def test_a_promoted_user_reads_the_recorder_until_demoted(
    command: Command, user: User, stack: Stack, database: Database
) -> None:
    """Protects from former operators who read on."""
    require_done(command("promote", user.username), f"{user.username} is an operator")
    assert rows.one(database, "users", id=user.id)["is_operator"] is True
    try:
        token = user.login().expect(200)["access_token"]
        assert user.call("GET", "/logs/stats", headers=sessions.bearer(token)).status == 200
    finally:
        require_done(command("demote", user.username), f"{user.username} is no operator")
    assert rows.one(database, "users", id=user.id)["is_operator"] is False
    sessions.answered_by_all(user, "/logs/stats", 403, token)
    assert recorded(database, stack, user.username) == ["user_promoted", "user_demoted"]


def test_the_last_operator_stays(command: Command, database: Database) -> None:
    """Protects from a stack without an operator."""
    operators = [row for row in rows.many(database, "users", is_operator=True) if row["disabled_at"] is None]
    if len(operators) > 1:
        raise NotGivenError("needs a stack with one operator")
    for action in ("disable", "demote"):
        refused = command(action, operators[0]["username"])
        assert refused.returncode == 1, f"deploy-local.sh user {action}: took the last operator away"
        assert "last operator" in refused.stderr
    assert rows.one(database, "users", id=operators[0]["id"]) == operators[0]


def test_users_are_listed(command: Command, user: User) -> None:
    """Protects from accounts that operators do not know of."""
    listed = {one["username"]: one for one in map(json.loads, command("list", "--json").stdout.splitlines())}
    found = listed.get(user.username, {})
    shown = {name: found.get(name) for name in ("id", "is_operator", "is_disabled")}
    expected = {"id": user.id, "is_operator": False, "is_disabled": False}
    assert shown == expected, f"deploy-local.sh user list: expected {expected}, found {found}"
