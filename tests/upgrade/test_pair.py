"""One real pair of releases: the release before serves on the schema of this one, then its services are switched.

In this order, on one stack. `nox -s upgrade` runs it.
"""

from __future__ import annotations

import requests

from plumbline.backups import revisions
from plumbline.checkout import Checkout
from plumbline.stack import Stack
from tests.upgrade.conftest import Upgrade
from tests.upgrade.pair import Suite
from tests.upgrade.traffic import TIMEOUT_S, Written

SCHEMA_AND_HEALTH = ("tests/smoke/test_schema.py", "tests/smoke/test_health.py")


def test_the_earlier_services_go_on_serving_while_the_schema_changes(upgrade: Upgrade, expanded: Written) -> None:
    before, now = upgrade.seen["schema_before"], upgrade.seen["schema"]
    assert now == revisions.newest()
    assert now != before, "the pair has no migration"
    assert expanded.failures == []
    assert upgrade.person.messages() == sorted(["before the upgrade", *expanded.acknowledged])


def test_the_earlier_smoke_suite_passes_on_the_newer_schema(upgrade: Upgrade, earlier_suite: Suite) -> None:
    print(f"release {upgrade.earlier.version} at {upgrade.earlier.commit}: {earlier_suite.counts}; left out:")
    for name, why in upgrade.seen["left_out"].items():
        print(f"  {name}: {why}")
    print("\n".join(f"adjusted: {what}" for what in upgrade.seen["adjusted"]))
    assert earlier_suite.failed == []
    assert earlier_suite.counts["passed"] > 100, "the suite ran"


def test_what_was_written_before_is_there_after_it(upgrade: Upgrade, switched: Stack, expanded: Written) -> None:
    assert switched.running
    upgrade.person.log_in()
    assert upgrade.person.messages() == sorted(["before the upgrade", *expanded.acknowledged])
    assert upgrade.person.sees() == upgrade.wrote


def test_the_smoke_suite_of_this_release_passes_after_the_switch(newer_suite: Suite) -> None:
    assert newer_suite.failed == []
    assert newer_suite.counts["passed"] > 100, "the suite ran"


def test_rollback_says_what_it_does_and_starts_the_earlier_release(upgrade: Upgrade, rolled_back: str) -> None:
    assert f"Back to release {upgrade.earlier.version} (commit {upgrade.earlier.commit[:12]})" in rolled_back
    assert "This will be lost:\n  table " in rolled_back
    assert Checkout(upgrade.newer.folder).head() == upgrade.earlier.commit
    health = requests.get(f"{upgrade.stack.base_url}/health", timeout=TIMEOUT_S)
    assert (health.status_code, health.json()["version"]) == (200, upgrade.earlier.version)
    assert upgrade.seen["schema_after_rollback"] == upgrade.seen["schema_before"]


def test_the_earlier_release_has_its_schema_and_the_data_again(
    upgrade: Upgrade, rolled_back: str, expanded: Written
) -> None:
    del rolled_back
    result = upgrade.earlier.smoke(upgrade.home, upgrade.reports / "back.xml", paths=SCHEMA_AND_HEALTH)
    assert result.failed == []
    upgrade.person.log_in()
    wrote = ["before the upgrade", *expanded.acknowledged, "on the newer release"]
    assert upgrade.person.messages() == sorted(wrote)
    assert upgrade.person.sees() == upgrade.wrote


def test_forward_again_with_the_data(upgrade: Upgrade, forward_again: Stack, expanded: Written) -> None:
    assert forward_again.running
    upgrade.person.log_in()
    assert len(upgrade.person.messages()) == len(expanded.acknowledged) + 2
    assert upgrade.person.sees() == upgrade.wrote
    assert upgrade.target.from_this_checkout()
