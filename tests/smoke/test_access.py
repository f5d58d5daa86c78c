"""Every route gives each kind of caller the right answer, and a refused call changes nothing.

Protects from users who can read or change what is not theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import access, rows, sessions
from plumbline.verification.checks.access import CROSS_SITE, RULES, USERS, Rule, World
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.findings import require_none
from plumbline.verification.checks.sessions import Operator
from plumbline.verification.throwaway import wait_for_value

Database = psycopg.Connection[dict[str, Any]]
WRITES = [rule for rule in RULES if rule.writes]


@pytest.fixture(scope="module")
def users(new_user: Callable[[], User]) -> dict[str, User]:
    return {name: new_user() for name in USERS if name != "operator"}


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(users: dict[str, User], operator: Operator, new_user: Callable[[], User]) -> World:
    """Objects that no check changes."""
    return World(users, operator, new_user)


@pytest.fixture(scope="module")
def stored(target: Target, world: World) -> Iterator[Callable[[], str]]:
    """Return a function that reads all rows of this module's channels."""
    with rows.connect(target.stack()) as database:
        yield lambda: access.rows_of(database, [world.private, world.public, world.direct])


@pytest.fixture(scope="module")
def tokens(users: dict[str, User], new_user: Callable[[], User]) -> dict[str, str | None]:
    """The token of each kind of caller without a valid session."""
    return {
        "anonymous": None,
        "rubbish": "rubbish",
        "forged": sessions.forged(users["creator"].token),
        "deleted": sessions.deleted(new_user),
        "logged out": sessions.ended(new_user),
    }


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with net.direct_session() as session:
        yield session


def difference(answer: Answer, expected: str) -> str | None:
    """Return how an answer differs from the expected status and code; None if it does not."""
    code = answer.json.get("code") if answer.status >= 400 and isinstance(answer.json, dict) else ""
    found = f"{answer.status} {code}".strip()
    if found != expected:
        return f"expected {expected}, got {found}: {answer.body[:200]!r}"
    if answer.status >= 400:
        answer.expect_problem(answer.status)
    return None


def require_access(rule: Rule, differences: dict[str, str | None]) -> None:
    """Fail with each caller whose answer differs."""
    findings = [f"{caller}: {one}" for caller, one in differences.items() if one]
    require_none(findings, about=str(rule), then="compare the route with plumbline/verification/checks/access.py")


def without_session(
    rule: Rule, tokens: dict[str, str | None], world: World, stored: Callable[[], str], http: requests.Session
) -> None:
    """Make the call with each token; fail unless all are refused, and nothing changes."""
    differences = {}
    arguments = world.arguments(rule)
    url = world.base_url + arguments.pop("path")
    before = stored()
    for caller, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = Answer(http.request(rule.method, url, headers=headers, timeout=TIMEOUT_S, **arguments))
        differences[caller] = difference(answer, "401 unauthenticated")
    require_access(rule, differences)
    assert stored() == before, f"{rule} was refused, and changed something"


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_call_without_a_valid_session_is_refused(
    http: requests.Session, world: World, stored: Any, tokens: dict[str, str | None], rule: Rule
) -> None:
    """Protects from strangers who read or change anything."""
    without_session(rule, tokens, world, stored, http)


@pytest.fixture(scope="module")
def disabled(target: Target, new_user: Callable[[], User]) -> Iterator[str]:
    """The token of a disabled user."""
    yield from sessions.disabled(target, new_user)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_call_of_a_disabled_user_is_refused(
    http: requests.Session, world: World, stored: Any, disabled: str, rule: Rule
) -> None:
    """Protects from users whom an operator has disabled, and who go on."""
    without_session(rule, {"disabled": disabled}, world, stored, http)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_call_with_an_expired_session_is_refused(
    stack: Stack, http: requests.Session, world: World, stored: Any, users: dict[str, User], rule: Rule
) -> None:
    """Protects from sessions that never end, such as that of a lost laptop."""
    without_session(rule, {"expired": sessions.expired(stack, users["creator"].token)}, world, stored, http)


@pytest.mark.parametrize("path", ["/auth/me", "/data-processor/templates/", "/logs/entries"])
def test_a_session_that_was_used_expires_too(
    stack: Stack, http: requests.Session, users: dict[str, User], path: str
) -> None:
    token = sessions.expiring(stack, users["creator"].token, 4)

    def statuses() -> set[int]:
        headers = {"Authorization": f"Bearer {token}"}
        return {http.get(stack.base_url + path, headers=headers, timeout=TIMEOUT_S).status_code for _ in range(8)}

    assert statuses() <= {200, 403, 401}
    wait_for_value(statuses, {401}.__eq__, f"{path} to refuse the session after it has expired (statuses)")


@pytest.mark.parametrize("rule", WRITES, ids=str)
def test_a_page_of_another_site_cannot_change_anything(
    http: requests.Session, world: World, stored: Any, users: dict[str, User], rule: Rule
) -> None:
    differences = {}
    arguments = world.arguments(rule)
    url = world.base_url + arguments.pop("path")
    before = stored()
    for name, value in CROSS_SITE:
        headers = {name: value, "Cookie": f"access_token={users['creator'].token}"}
        answer = Answer(http.request(rule.method, url, headers=headers, timeout=TIMEOUT_S, **arguments))
        differences[f"{name}: {value}"] = difference(answer, "403 foreign_origin")
    require_access(rule, differences)
    assert stored() == before, f"{rule} was refused, and changed something"


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_users_may_do_what_the_rules_say(
    world: World,
    stored: Any,
    users: dict[str, User],
    operator: Operator,
    new_user: Callable[[], User],
    rule: Rule,
) -> None:
    differences = {}
    callers = users | {"operator": operator}
    refused = [caller for caller in USERS if not rule.expected(caller).startswith("2")]
    before = stored()
    for caller in refused:
        differences[caller] = difference(
            callers[caller].call(rule.method, **world.arguments(rule)), rule.expected(caller)
        )
    changed = stored() != before
    for caller in USERS:
        if caller not in refused:
            used = World(users, operator, new_user) if rule.uses_up else world
            answer = callers[caller].call(rule.method, **used.arguments(rule))
            differences[caller] = difference(answer, rule.expected(caller))
            world.open_direct_again()
    require_access(rule, differences)
    assert not changed, f"{rule} was refused to {', '.join(refused)}, and changed something"
