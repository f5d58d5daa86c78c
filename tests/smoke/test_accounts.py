"""Registration, login and logout, over HTTP and in the database.

Protects from users who cannot register or log in, and passwords that are stored readably.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import requests

from plumbline.stack import Stack
from plumbline.verification.checks import contract, rows
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User


def test_an_account_is_stored_with_a_password_hash(alice: User, database: psycopg.Connection[dict[str, Any]]) -> None:
    """Protects from passwords that can be read by everybody who sees the database."""
    row = rows.one(database, "users", id=alice.id)
    assert (row["username"], row["display_name"]) == (alice.username, alice.username)
    assert abs((datetime.now(UTC) - row["created_at"]).total_seconds()) < 3600
    assert row["is_operator"] is False
    hashed = row["password_hash"]
    assert hashed.startswith(contract.PASSWORD_HASH), f"backend: a password is hashed as {hashed[:32]}…"
    assert alice.password not in str(row)


def test_bearer_token_and_cookie_work(alice: User, stack: Stack) -> None:
    assert alice.get("/auth/me").expect(200)["id"] == alice.id
    with requests.Session() as browser:
        answer = browser.post(
            f"{stack.base_url}/auth/login",
            data={"username": alice.username, "password": alice.password},
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["Set-Cookie"].lower()
        assert cookie.startswith("access_token=")
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert browser.get(f"{stack.base_url}/auth/me", timeout=TIMEOUT_S).json()["id"] == alice.id
        assert browser.post(f"{stack.base_url}/auth/logout", timeout=TIMEOUT_S).status_code == 204
        assert browser.get(f"{stack.base_url}/auth/me", timeout=TIMEOUT_S).status_code == 401


def test_a_taken_name_is_refused(alice: User) -> None:
    """Protects from a second user who passes for the first."""
    alice.register(alice.username.upper(), "x" * 12).expect_problem(409)


def test_a_wrong_password_is_refused(alice: User) -> None:
    """Protects from a login without the password."""
    answer = alice.call(
        "POST", "/auth/login", data={"username": alice.username, "password": "wrong-" + secrets.token_hex(4)}
    )
    answer.expect_problem(401)


@pytest.mark.parametrize(
    "token", ["", "rubbish", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."], ids=["none", "rubbish", "alg-none"]
)
@pytest.mark.parametrize("path", ["/auth/me", "/channels/", "/data-processor/documents/?channel_id=1", "/logs/entries"])
def test_requests_without_a_valid_session_are_refused(stack: Stack, path: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    Answer(requests.get(stack.base_url + path, headers=headers, timeout=TIMEOUT_S)).expect_problem(401)


@pytest.mark.disrupt
def test_guessing_a_password_is_throttled_and_other_users_are_not(stack: Stack, new_user: Callable[[], User]) -> None:
    user, other = new_user(), new_user()
    attempts = contract.setting(stack, "PLUMBLINE_LOGIN_ATTEMPTS", contract.LOGIN_ATTEMPTS)
    guess = {"username": user.username, "password": "a wrong guess 4711"}
    answers = [user.call("POST", "/auth/login", data=guess) for _ in range(attempts + 5)]
    codes = [answer.json["code"] for answer in answers]
    assert codes[:5] == ["wrong_credentials"] * 5
    assert codes[-1] == "too_many_attempts", f"after {attempts + 5} wrong passwords the answer is {codes[-1]}"
    taken = codes.index("too_many_attempts")
    assert taken >= attempts, f"backend: refused a guess after {taken} wrong ones; expected {attempts} to be allowed"
    wait = answers[-1].headers.get("Retry-After", "")
    assert wait.isdigit(), f"backend: throttles a login without saying when to try again (Retry-After: {wait!r})"
    other.login().expect(200)


def test_a_forged_token_is_refused_by_both_services(stack: Stack, new_user: Callable[[], User]) -> None:
    """Protects from a session that an attacker has made up, in the service that forgets to check."""
    user = new_user()
    head, body, signature = user.token.split(".")
    forged = ".".join((head, body, signature[::-1]))
    for path in ("/auth/me", "/data-processor/templates/"):
        answer = Answer(
            requests.get(stack.base_url + path, headers={"Authorization": f"Bearer {forged}"}, timeout=TIMEOUT_S)
        )
        answer.expect_problem(401)
