"""The stages of an upgrade, one after the other on one stack: each is a fixture, and needs the one before."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plumbline.backups.upgrade import before_migrations, deployed
from plumbline.checkout import Checkout
from plumbline.components import MIGRATING, migration_step
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.targets.choose import choose
from plumbline.verification.checks import contract
from tests.upgrade.pair import ADJUSTED, LEFT_OUT, LEFT_OUT_OF, SHIM_OF, Release, Suite, earlier_release
from tests.upgrade.traffic import Person, Written, writing

RECORD = Path(__file__).parent / "shown.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--record`."""
    parser.addoption("--record", action="store_true", help=f"keep the result in {RECORD.name}, which the docs show")


@dataclass
class Upgrade:
    """One stack on its way from one release to the next, and what was seen."""

    earlier: Release
    newer: Release
    home: Home
    reports: Path
    person: Person
    wrote: tuple[bytes, list[Any]]
    """What the person saw before the upgrade: their document and its annotations."""
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        """The stack, as this checkout sees it."""
        return _target(self.home)

    @property
    def stack(self) -> Stack:
        """The state of the stack."""
        return self.target.stack()


def _target(home: Home) -> Target:
    return choose("auto", home)[0]


@pytest.fixture(scope="session")
def upgrade(request: pytest.FixtureRequest) -> Iterator[Upgrade]:
    """The release before, serving, with data; the stack is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="plumbline-upgrade-") as name:
        folder = Path(name)
        known, here = earlier_release(), Checkout()
        if here.changes():
            pytest.exit("the pair is of two commits: commit the changes of this checkout first", 4)
        earlier = Release.checked_out(folder / "earlier", known.commit, known.version)
        earlier.use_its_packages(folder / "packages")
        newer = Release.checked_out(folder / "newer", here.head(), contract.version())
        home = Home(folder / "home")
        wanted = request.config.getoption("target")
        try:
            earlier.up(home, "--port", "0", "--target", "embedded" if wanted == "auto" else wanted)
            person = Person(_target(home).stack().base_url)
            one = Upgrade(earlier, newer, home, folder, person, person.sees())
            one.seen["target"] = one.target.name
            yield one
            complete = "schema_after_rollback" in one.seen and not request.session.testsfailed
            if complete and request.config.getoption("record"):
                _record(one)
        finally:
            if home.exists:
                _target(home).remove()


@pytest.fixture(scope="session")
def expanded(upgrade: Upgrade) -> Written:
    """The stack after the newer release's migrations, while the earlier services go on serving."""
    target = upgrade.target
    upgrade.seen["schema_before"] = deployed(target)
    with writing(upgrade.person) as written:
        assert "before-an-upgrade" in before_migrations(target)
        for step in ("secrets", "images", *map(migration_step, MIGRATING)):
            target.run(step)
    upgrade.seen["schema"] = deployed(target)
    upgrade.seen["written_meanwhile"] = len(written.acknowledged)
    return written


@pytest.fixture(scope="session")
def earlier_suite(upgrade: Upgrade, expanded: Written) -> Suite:
    """The result of the earlier release's smoke suite on the newer schema."""
    del expanded
    version = upgrade.earlier.version
    left_out, plugin = LEFT_OUT | LEFT_OUT_OF.get(version, {}), SHIM_OF.get(version, "")
    result = upgrade.earlier.smoke(upgrade.home, upgrade.reports / "earlier.xml", left_out, plugin)
    adjusted = [ADJUSTED[plugin]] if plugin else []
    upgrade.seen |= {"earlier_suite": asdict(result), "left_out": left_out, "adjusted": adjusted}
    return result


@pytest.fixture(scope="session")
def switched(upgrade: Upgrade, earlier_suite: Suite) -> Stack:
    """The stack after its services were switched to the newer release."""
    del earlier_suite
    upgrade.newer.up(upgrade.home)
    return upgrade.stack


@pytest.fixture(scope="session")
def newer_suite(upgrade: Upgrade, switched: Stack) -> Suite:
    """The result of this release's smoke suite after the switch."""
    del switched
    result = upgrade.newer.smoke(upgrade.home, upgrade.reports / "newer.xml")
    upgrade.seen["newer_suite"] = asdict(result)
    return result


@pytest.fixture(scope="session")
def rolled_back(upgrade: Upgrade, newer_suite: Suite) -> str:
    """What `rollback` printed, in a checkout of this release, which is one of the earlier release afterwards."""
    del newer_suite
    upgrade.person.write("on the newer release")
    said = upgrade.newer.run("plumbline", "rollback", "--yes", "--home", str(upgrade.home.root))
    upgrade.seen["lost"] = [line.strip() for line in said.splitlines() if line.startswith("  table ")]
    upgrade.seen["schema_after_rollback"] = deployed(upgrade.target)
    return said


@pytest.fixture(scope="session")
def forward_again(upgrade: Upgrade, rolled_back: str) -> Stack:
    """The stack after this release was checked out and deployed again."""
    del rolled_back
    Checkout(upgrade.newer.folder).git("checkout", "--quiet", upgrade.newer.commit)
    upgrade.newer.deploy_local("up", "--home", str(upgrade.home.root))
    return upgrade.stack


def _record(one: Upgrade) -> None:
    kept = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    who = {
        name: {"version": it.version, "commit": it.commit} for name, it in (("from", one.earlier), ("to", one.newer))
    }
    kept[one.seen.pop("target")] = {"day": datetime.now(UTC).date().isoformat(), **who, **one.seen}
    RECORD.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
