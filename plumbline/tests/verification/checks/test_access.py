"""The rules of access name every route of every service."""

from __future__ import annotations

import re

from plumbline.verification.checks.access import RULES, USERS, WITHOUT_RULE
from plumbline.verification.introspection import facts


def general(method: str, path: str) -> tuple[str, str]:
    """Return a route without its query and without the names of its parameters. The number of a page is one."""
    return method, re.sub(r"\{\w+\}|(?<=/)1(?=/)", "{}", path.partition("?")[0])


def test_every_route_has_a_rule_or_a_reason() -> None:
    served = {general(route.method, route.path) for service in facts.services().values() for route in service.routes}
    with_rule = {general(rule.method, rule.path) for rule in RULES}
    without = {general(*route) for route in WITHOUT_RULE}
    assert served - with_rule - without == set(), "add rules to plumbline/verification/checks/access.py"
    assert (with_rule | without) - served == set(), "no service has these routes"
    assert with_rule & without == set()


def test_rules_name_only_existing_callers() -> None:
    for rule in RULES:
        assert rule.others.keys() <= set(USERS), rule
