"""Sessions end everywhere: by logging out and by another password; the database has a row for each that is open.

Protects from sessions that go on after a logout or a new password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import psycopg
import pytest
import requests

from plumbline.recorder import operator_session
from plumbline.stack import Stack
from plumbline.verification.checks import contract, rows, sessions
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.sessions import PATHS, bearer
from plumbline.verification.throwaway import wait_for_value

Database = psycopg.Connection[dict[str, Any]]
NEW_PASSWORD = "another passphrase of five words"
_ENDS_S = 30.0


@pytest.fixture
def user(new_user: Callable[[], User]) -> User:
    return new_user()


def log_in(user: User) -> str:
    return str(user.login().expect(200)["access_token"])


def session_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def statuses(user: User, token: str) -> dict[str, int]:
    return {service: user.call("GET", path, headers=bearer(token)).status for service, path in PATHS.items()}


def test_a_session_is_a_row_that_lasts_as_long_as_is_set(stack: Stack, user: User, database: Database) -> None:
    answer = user.login().expect(200)
    row = rows.one(database, "sessions", id=session_of(answer["access_token"]))
    lasts_s = (row["expires_at"] - row["created_at"]).total_seconds()
    due = contract.setting(stack, "PLUMBLINE_SESSION_TTL_S", contract.SESSION_TTL_S)
    assert (row["user_id"], lasts_s, answer["expires_in"]) == (user.id, due, due)
    assert abs((datetime.now(UTC) - row["created_at"]).total_seconds()) < 3600


def test_logging_out_ends_that_session_everywhere_and_no_other(user: User, database: Database) -> None:
    ended, other = log_in(user), log_in(user)
    with (
        user.socket(additional_headers=bearer(ended)) as closed,
        user.socket(additional_headers=bearer(other)) as kept,
    ):
        assert user.call("POST", "/auth/logout", headers=bearer(ended)).status == 204
        assert rows.many(database, "sessions", id=session_of(ended)) == []
        code = closed.closed_with()
        assert code == 4401, f"backend: a socket of an ended session was closed with {code}; expected 4401"
        for path in PATHS.values():
            sessions.refused_by_all(user, path, ended)
        kept.drain()
    assert statuses(user, other) == {"backend": 200, "data-processor": 200, "log-sink": 403}
    assert len(rows.many(database, "sessions", id=session_of(other))) == 1


def test_a_new_password_ends_all_other_sessions(user: User, database: Database) -> None:
    own, other = log_in(user), log_in(user)
    body = {"password": user.password, "new_password": NEW_PASSWORD}
    user.call("POST", "/auth/password", headers=bearer(own), json=body | {"password": "not it"}).expect_problem(403)
    before = rows.one(database, "users", id=user.id)
    with (
        user.socket(additional_headers=bearer(other)) as closed,
        user.socket(additional_headers=bearer(own)) as kept,
    ):
        assert user.call("POST", "/auth/password", headers=bearer(own), json=body).status == 204
        user.remember(NEW_PASSWORD)
        assert closed.closed_with() == 4401
        for path in PATHS.values():
            sessions.refused_by_all(user, path, other)
        kept.drain()
    assert statuses(user, own) == {"backend": 200, "data-processor": 200, "log-sink": 403}
    after = rows.one(database, "users", id=user.id)
    assert {name for name in after if after[name] != before[name]} == {"password_hash", "session_version"}
    assert after["password_hash"].startswith(contract.PASSWORD_HASH)
    user.token = own
    user.http.headers.update(bearer(own))
    log_in(user)


@pytest.fixture
def operator(stack: Stack) -> Iterator[requests.Session]:
    """A session of the operator that the check ends."""
    with operator_session(stack) as session:
        yield session


def test_logging_out_ends_the_live_tail_of_an_operator(stack: Stack, operator: requests.Session) -> None:
    address = f"{stack.base_url}/logs/stream"
    with operator.get(address, stream=True, timeout=TIMEOUT_S) as tail:
        assert tail.status_code == 200, tail.text
        lines = tail.iter_lines()
        next(lines)
        assert operator.post(f"{stack.base_url}/auth/logout", timeout=TIMEOUT_S).status_code == 204
        ends = datetime.now(UTC).timestamp() + _ENDS_S
        for _ in lines:
            assert datetime.now(UTC).timestamp() < ends, (
                f"log-sink: a live tail goes on {_ENDS_S:g} s after its session has ended. "
                "Next: ./deploy-local.sh logs --component log-sink"
            )
    wait_for_value(
        lambda: {operator.get(address, timeout=TIMEOUT_S).status_code for _ in range(20)}, {401}.__eq__,
        "the live tail to refuse an ended session (statuses)",
    )  # fmt: skip
