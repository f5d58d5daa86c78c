"""Every deployment that would migrate a database with data takes a snapshot first, and says where."""

from __future__ import annotations

import pytest

from plumbline import deploy
from plumbline.backups import archive, backup, revisions, upgrade
from plumbline.components import MIGRATING
from plumbline.errors import ElsewhereError, StepError
from plumbline.tests.backups.conftest import DatabaseTarget

CHAINS = {name: revisions.known(name) for name in MIGRATING}


def at(target: DatabaseTarget, back: int = 0) -> None:
    """Put the database to the revisions of a release `back` migrations ago."""
    chains = {name: known[-1 - back] for name, known in CHAINS.items()}
    target.execute(
        f"UPDATE alembic_version SET version_num = '{chains['backend']}'; DROP TABLE IF EXISTS django_migrations;"
        "CREATE TABLE django_migrations (app text, name text);"
        f"INSERT INTO django_migrations VALUES ('data_processor', '{chains['data-processor']}'), ('other', '9999')"
    )


def archives(target: DatabaseTarget) -> list[str]:
    return [one.path.name for one in backup.store_of(target.stack()).entries()]


def test_a_deployment_that_migrates_takes_a_snapshot_first_and_says_where(
    target: DatabaseTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    at(target, back=1)
    deploy.up(target.home, target, "for the test")
    (name,) = archives(target)
    assert "-before-an-upgrade-" in name
    said = " ".join(capsys.readouterr().out.split())  # lines are wrapped
    assert f"did migrate-backend snapshot {target.home.root}/backups/{name} " in said
    kept = archive.opened(target.home.root / "backups" / name)
    assert kept.manifest.contents.revisions == {name: known[-2] for name, known in CHAINS.items()}


def test_the_snapshot_is_taken_before_the_first_migration(target: DatabaseTarget) -> None:
    at(target, back=1)
    target.failures["migrate-backend"] = StepError("the migration failed")
    with pytest.raises(StepError):
        deploy.up(target.home, target, "for the test")
    assert len(archives(target)) == 1


def test_a_snapshot_that_fails_stops_the_deployment_before_the_migration(target: DatabaseTarget) -> None:
    at(target, back=1)
    (target.home.root / "backups").write_text("in the way")
    with pytest.raises(Exception, match="no backup can be written"):
        deploy.up(target.home, target, "for the test")
    assert "migrate-backend" not in target.done


def test_without_a_migration_to_do_no_snapshot_is_taken(target: DatabaseTarget) -> None:
    at(target)
    deploy.up(target.home, target, "for the test")
    target.execute("DROP OWNED BY CURRENT_USER CASCADE")
    deploy.up(target.home, target, "for the test")
    assert archives(target) == []


def test_the_last_few_are_kept(target: DatabaseTarget) -> None:
    at(target, back=1)
    backup.snapshot(target, target.stack(), "manual")
    for _ in range(upgrade.KEPT + 2):
        upgrade.before_migrations(target)
    assert len(archives(target)) == 1 + upgrade.KEPT
    assert archives(target)[0].startswith("0001-manual-")


def test_a_database_elsewhere_is_not_backed_up_and_that_is_said(
    target: DatabaseTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_: object) -> dict[str, str]:
        raise ElsewhereError("Postgres is not part of this stack")

    monkeypatch.setattr(upgrade, "deployed", elsewhere)
    assert upgrade.before_migrations(target) == "no snapshot: Postgres is not part of this stack"


def test_the_known_revisions_are_those_of_the_migrations() -> None:
    assert CHAINS["backend"][0] == CHAINS["data-processor"][0] == "0001_foundation"
    assert revisions.newer({"backend": CHAINS["backend"][0], "data-processor": "0999_future"}) == {
        "data-processor": "0999_future"
    }
