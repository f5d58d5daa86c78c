from __future__ import annotations

import time

import pytest
from servicekit.accounts import Account, Accounts
from servicekit.tokens import Identity, Verified

GONE = Account.of(None)
THERE = Account.of((False, False, True))


def session(session_id: str, user_id: int = 1) -> Verified:
    return Verified(Identity(user_id, "ann"), session_id, 0)


def test_an_answer_is_cached_and_then_one_request_queries_again() -> None:
    accounts = Accounts(fresh_s=0.05)
    assert accounts.known(session("a")) is None
    accounts.answered(session("a"), THERE)
    assert accounts.known(session("a")) == THERE
    deadline = time.monotonic() + 10
    while accounts.known(session("a")) is not None:
        assert time.monotonic() < deadline
    # The first request still waits for the database: the others use the cached account.
    assert accounts.known(session("a")) == THERE


def test_without_an_answer_the_last_one_counts_and_else_the_token() -> None:
    accounts = Accounts(fresh_s=60)
    assert accounts.unanswered(session("a")) == Account(is_operator=True)
    accounts.answered(session("b"), GONE)
    assert accounts.unanswered(session("b")) == GONE


def test_all_sessions_of_a_user_are_queried_again_and_no_others() -> None:
    accounts = Accounts(fresh_s=60)
    for session_id, user_id in (("a", 1), ("b", 1), ("c", 2)):
        accounts.answered(session(session_id, user_id), THERE)
    accounts.forget(1)
    assert [accounts.known(session(*one)) for one in (("a", 1), ("b", 1), ("c", 2))] == [None, None, THERE]


def test_a_token_with_another_user_does_not_end_the_session() -> None:
    accounts = Accounts(fresh_s=60)
    accounts.answered(session("a", 1), THERE)
    accounts.answered(session("a", 2), GONE)
    assert accounts.known(session("a", 1)) == THERE


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        ((True, False, True), ""),
        ((True, False, False), "has ended"),
        ((True, True, True), "disabled"),
        ((True, True, False), "disabled"),
        (None, "no longer exists"),
    ],
)
def test_a_session_is_refused_with_the_reason(row: tuple[bool, bool, bool] | None, refusal: str) -> None:
    account = Account.of(row)
    assert refusal in account.refusal
    assert bool(account.refusal) == bool(refusal)
    assert account.is_operator == (row is not None)
