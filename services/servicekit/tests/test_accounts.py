from __future__ import annotations

import time

from servicekit.accounts import Account, Accounts

GONE = Account(exists=False, is_operator=False)
THERE = Account(exists=True, is_operator=False)


def test_an_answer_is_cached_and_then_one_request_queries_again() -> None:
    accounts = Accounts(fresh_s=0.05)
    assert accounts.known(1) is None
    accounts.answered(1, THERE)
    assert accounts.known(1) == THERE
    deadline = time.monotonic() + 10
    while accounts.known(1) is not None:
        assert time.monotonic() < deadline
    # The first request still waits for the database: the others use the cached account.
    assert accounts.known(1) == THERE


def test_without_an_answer_the_last_one_counts_and_else_the_token() -> None:
    accounts = Accounts(fresh_s=60)
    assert accounts.unanswered(1) == Account(exists=True, is_operator=True)
    accounts.answered(2, GONE)
    assert accounts.unanswered(2) == GONE


def test_a_forgotten_user_is_queried_again() -> None:
    accounts = Accounts(fresh_s=60)
    accounts.answered(1, THERE)
    accounts.forget(1)
    assert accounts.known(1) is None
