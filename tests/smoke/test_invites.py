"""Invites, which operators create and delete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract
from plumbline.verification.checks.sessions import Operator

INVITES = "/auth/invites"


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


def listed(operator: Operator) -> list[int]:
    """Return the ids of the newest invites."""
    return [one["id"] for one in operator.call("GET", INVITES, params={"limit": 100}).expect(200)["items"]]


def test_an_invite_is_valid_for_a_week_and_belongs_to_its_operator(stack: Stack, operator: Operator) -> None:
    made = operator.call("POST", INVITES).expect(201)
    ttl = contract.setting(stack, "PLUMBLINE_INVITE_TTL_S", contract.INVITE_TTL_S)
    moments = [datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at")]
    assert (moments[1] - moments[0]).total_seconds() == ttl, (
        f"backend: an invite is valid from {moments}; expected {ttl} s"
    )
    (shown,) = (one for one in operator.call("GET", INVITES).expect(200)["items"] if one["id"] == made["id"])
    assert (shown["created_by"], shown["used_by"], shown["used_at"]) == (operator.id, None, None)
    assert made["code"] not in str(shown), "backend: the list of invites shows a code"


def test_deleting_an_invite_deletes_that_one_alone(operator: Operator) -> None:
    older, gone, newer = (operator.call("POST", INVITES).expect(201)["id"] for _ in range(3))
    assert operator.call("DELETE", f"{INVITES}/{gone}").status == 204
    left = [one for one in listed(operator) if one in (older, gone, newer)]
    assert left == [newer, older], f"backend: deleted invite {gone} of {[older, gone, newer]}; left are {left}"
    assert operator.call("DELETE", f"{INVITES}/{gone}").expect_problem(404)["code"] == "no_such_invite"


def test_the_check_for_operators_names_the_operator(stack: Stack, operator: Operator) -> None:
    answer = operator.call("GET", "/auth/operator")
    assert answer.headers.get("X-Operator") == stack.operator.username
