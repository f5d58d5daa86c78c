"""Invites, which operators create and delete.

Protects from registrations with an invite that was used, has ended, or was never made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest

from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, rows
from plumbline.verification.checks.created import Run
from plumbline.verification.checks.second_backend import SecondBackend, second_backend
from plumbline.verification.checks.sessions import Operator

INVITES = "/auth/invites"
PASSWORD = "zK7#qW2$vN9!zK7"


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


def listed(operator: Operator) -> list[int]:
    """Return the ids of the newest invites."""
    return [one["id"] for one in operator.call("GET", INVITES, params={"limit": 100}).expect(200)["items"]]


def test_an_invite_is_valid_for_a_week_and_belongs_to_its_operator(stack: Stack, operator: Operator) -> None:
    """Protects from invites that are valid for ever, or whose operator is unknown."""
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
    """Protects from a recorder that cannot tell who reads it."""
    answer = operator.call("GET", "/auth/operator")
    assert answer.headers.get("X-Operator") == stack.operator.username


def refused(backend: SecondBackend, database: psycopg.Connection[dict[str, Any]], run: Run, **invite: str) -> str:
    """Register without success; return the code of the refusal."""
    name = run.new_name()
    run.record_account(name, PASSWORD)
    answer = backend.register(name, PASSWORD, **invite)
    assert answer.status == 403, f"backend: registering with {invite or 'no invite'}: expected 403, got {answer.status}"
    assert not rows.many(database, "users", username=name), "backend: created an account that it refused"
    return str(answer.json["code"])


@pytest.mark.disrupt
def test_an_invite_registers_one_account(
    stack: Stack, inside: Inside, operator: Operator, run: Run, database: psycopg.Connection[dict[str, Any]]
) -> None:
    good, deleted = (operator.call("POST", INVITES).expect(201) for _ in range(2))
    assert operator.call("DELETE", f"{INVITES}/{deleted['id']}").status == 204
    name = run.new_name()
    with second_backend(stack, inside, registration="invite") as backend:
        found = {
            "no invite": refused(backend, database, run),
            "another code": refused(backend, database, run, invite=f"{good['code'][:-4]}AAAA"),
            "a deleted invite": refused(backend, database, run, invite=deleted["code"]),
        }
        taken = backend.register(stack.operator.username, PASSWORD, good["code"])
        assert taken.status == 409, f"backend: a taken name with an invite: expected 409, got {taken.status}"
        run.record_account(name, PASSWORD)
        made = backend.register(name, PASSWORD, good["code"])
        assert made.status == 201, f"backend: a valid invite: expected 201, got {made.status}: {made.body[:300]!r}"
        found["a used invite"] = refused(backend, database, run, invite=good["code"])
    assert set(found.values()) == {"invite_needed"}, f"backend: expected the code invite_needed, found {found}"
    (shown,) = (one for one in operator.call("GET", INVITES).expect(200)["items"] if one["id"] == good["id"])
    assert shown["used_by"] == made.json["id"], f"backend: the invite names {shown['used_by']} as its user"
    assert shown["used_at"], "backend: a used invite has no moment of its use"


@pytest.mark.disrupt
def test_closed_registration_refuses_every_account(
    stack: Stack, inside: Inside, operator: Operator, run: Run, database: psycopg.Connection[dict[str, Any]]
) -> None:
    invite = operator.call("POST", INVITES).expect(201)
    with second_backend(stack, inside, registration="closed") as backend:
        found = {refused(backend, database, run), refused(backend, database, run, invite=invite["code"])}
    assert found == {"registration_closed"}, f"backend: expected the code registration_closed, found {found}"
