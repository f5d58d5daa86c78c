"""Going back to the release before: what is lost is said first, and the chains go back in reverse order."""

from __future__ import annotations

import pytest

from plumbline import deploy
from plumbline.backups import backup, upgrade
from plumbline.backups.rollback import rollback
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError, StepError
from plumbline.releases.history import Earlier
from plumbline.stack import Component
from plumbline.tests.backups.conftest import DatabaseTarget
from plumbline.tests.backups.test_upgrade import CHAINS, at


@pytest.fixture
def upgraded(target: DatabaseTarget) -> DatabaseTarget:
    """A stack that was upgraded by one migration of each chain, which added a table and a column."""
    target.states = {name: Component(name, "running") for name in COMPONENTS}
    at(target, back=1)
    assert "before-an-upgrade" in upgrade.before_migrations(target)
    at(target)
    target.execute("CREATE TABLE added AS SELECT 1 AS id; ALTER TABLE things ADD COLUMN extra text")
    target.execute("UPDATE things SET extra = 'x' WHERE id <= 12")
    return target


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(deploy, "up", lambda home, target, why: done.append(why))
    return done


def test_what_will_be_lost_is_said_by_table_and_count_before_anything_happens(
    upgraded: DatabaseTarget, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert rollback(upgraded.home, upgraded, from_snapshot=False, confirmed=False) is None
    said = capsys.readouterr().out
    assert "  table added: 1 rows\n" in said
    assert "  table things: 12 values of extra\n" in said
    assert said.endswith("Nothing was changed.\n")
    assert upgraded.stopped == []


def test_the_chains_go_back_in_reverse_order_after_a_snapshot(
    upgraded: DatabaseTarget, capsys: pytest.CaptureFixture[str], deployed: list[str]
) -> None:
    way = rollback(upgraded.home, upgraded, from_snapshot=False, confirmed=True)
    assert way is not None
    data_processor, backend = CHAINS["data-processor"][-2], CHAINS["backend"][-2]
    assert upgraded.done == [f"data-processor back to {data_processor}", f"backend back to {backend}"]
    assert upgraded.stopped == ["caddy", "backend", "data-processor", "worker"]
    assert [one.reason for one in backup.store_of(upgraded.stack()).entries()] == [
        "before-an-upgrade", "before-a-rollback"
    ]  # fmt: skip
    assert deployed == []
    assert "This folder stays as it is, because the commit of that release is not recorded" in capsys.readouterr().out
    way.go(upgraded.home)
    assert "  git checkout EARLIER_RELEASE\n  ./deploy-local.sh --home " in capsys.readouterr().out


def test_the_snapshot_brings_back_the_release_before_and_says_what_was_written_since(
    upgraded: DatabaseTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    upgraded.execute("DELETE FROM things WHERE id > 5")
    assert rollback(upgraded.home, upgraded, from_snapshot=True, confirmed=True)
    said = capsys.readouterr().out
    assert "  table things: what was written since the snapshot (5 rows now, 2000 then)\n" in said
    assert upgraded.done == []
    assert upgraded.rows("SELECT count(*) FROM things") == [(2000,)]
    assert upgraded.rows("SELECT to_regclass('added')") == [(None,)]


def test_a_migration_that_cannot_be_reversed_leaves_the_stack_as_it_was(
    upgraded: DatabaseTarget, deployed: list[str]
) -> None:
    upgraded.failures["backend"] = StepError("it is irreversible")
    with pytest.raises(
        PlumblineError, match="the migrations of backend cannot be reversed: it is irreversible"
    ) as failed:
        rollback(upgraded.home, upgraded, from_snapshot=False, confirmed=True)
    assert "rollback --from-snapshot" in str(failed.value.hint)
    assert deployed == ["after a rollback that failed"]


def test_without_an_upgrade_there_is_nothing_to_roll_back(target: DatabaseTarget) -> None:
    target.states = {name: Component(name, "running") for name in COMPONENTS}
    at(target)
    with pytest.raises(PlumblineError, match="no upgrade of this stack is known") as refused:
        rollback(target.home, target, from_snapshot=False, confirmed=True)
    assert "check out the earlier release" in str(refused.value.hint)
    assert target.stopped == []


FIRST, SECOND, THIRD = ({"version": f"0.{n}.0", "commit": str(n) * 40} for n in (1, 2, 3))


def on(target: DatabaseTarget, *releases: dict[str, str]) -> None:
    """Let the stack have been on these releases, the last of which is ready."""
    *earlier, now = releases
    target.home.save(target.home.load(), target=target.name, deployed=now, earlier=earlier)


@pytest.fixture
def released(target: DatabaseTarget) -> DatabaseTarget:
    """A stack that was upgraded from the first release to the second, with migrations."""
    target.states = {name: Component(name, "running") for name in COMPONENTS}
    on(target, FIRST)
    at(target, back=1)
    upgrade.before_migrations(target)
    at(target)
    on(target, FIRST, SECOND)
    return target


def test_the_way_back_is_to_the_release_that_was_ready_before(released: DatabaseTarget) -> None:
    way = rollback(released.home, released, from_snapshot=False, confirmed=True)
    assert way is not None
    assert way.to == Earlier("0.1.0", FIRST["commit"])
    assert len(released.done) == 2


def test_an_upgrade_without_a_migration_is_rolled_back_without_a_change_of_the_schema(
    released: DatabaseTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    on(released, FIRST, SECOND, THIRD)
    way = rollback(released.home, released, from_snapshot=False, confirmed=False)
    assert way is not None
    assert way.to == Earlier("0.2.0", SECOND["commit"]), "not the first, before which the schema was changed"
    assert (released.stopped, released.done) == ([], [])
    assert "Back to release 0.2.0 (commit 222222222222), which has the schema" in capsys.readouterr().out
    with pytest.raises(PlumblineError, match="there is no snapshot"):
        rollback(released.home, released, from_snapshot=True, confirmed=True)


def test_a_rollback_that_was_interrupted_before_the_checkout_goes_on_there(released: DatabaseTarget) -> None:
    at(released, back=1)  # the migrations are reversed, and the services still stopped
    way = rollback(released.home, released, from_snapshot=False, confirmed=True)
    assert way is not None
    assert way.to == Earlier("0.1.0", FIRST["commit"])
    assert (released.stopped, released.done) == ([], [])
