"""Going back to the release before: what is lost is said first, and the chains go back in reverse order."""

from __future__ import annotations

import pytest

from plumbline import deploy
from plumbline.backups import backup, upgrade
from plumbline.backups.rollback import rollback
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError, StepError
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
    assert not rollback(upgraded.home, upgraded, from_snapshot=False, confirmed=False)
    said = capsys.readouterr().out
    assert "  table added: 1 rows\n" in said
    assert "  table things: 12 values of extra\n" in said
    assert said.endswith("Nothing was changed.\n")
    assert upgraded.stopped == []


def test_the_chains_go_back_in_reverse_order_after_a_snapshot(
    upgraded: DatabaseTarget, capsys: pytest.CaptureFixture[str], deployed: list[str]
) -> None:
    assert rollback(upgraded.home, upgraded, from_snapshot=False, confirmed=True)
    data_processor, backend = CHAINS["data-processor"][-2], CHAINS["backend"][-2]
    assert upgraded.done == [f"data-processor back to {data_processor}", f"backend back to {backend}"]
    assert upgraded.stopped == ["caddy", "backend", "data-processor", "worker"]
    assert [one.reason for one in backup.store_of(upgraded.stack()).entries()] == [
        "before-an-upgrade", "before-a-rollback"
    ]  # fmt: skip
    assert deployed == []
    assert "  git checkout " in capsys.readouterr().out


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
    with pytest.raises(PlumblineError, match="no upgrade of this stack has changed its schema") as refused:
        rollback(target.home, target, from_snapshot=False, confirmed=True)
    assert "check out the earlier release" in str(refused.value.hint)
    assert target.stopped == []
