"""Restoring into a stack: what is refused, what is kept, and that what ran goes on running."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plumbline import deploy
from plumbline.backups import archive, backup, commands, restore
from plumbline.backups.archive import Archive
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError
from plumbline.stack import Component
from plumbline.tests.backups.conftest import DatabaseTarget, full_disk


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(deploy, "up", lambda home, target, why: done.append(why))
    return done


@pytest.fixture
def serving(target: DatabaseTarget) -> DatabaseTarget:
    target.states = {name: Component(name, "running") for name in COMPONENTS}
    return target


@pytest.fixture
def kept(serving: DatabaseTarget) -> Archive:
    return archive.opened(backup.snapshot(serving, serving.stack(), "manual").path)


def _count(target: DatabaseTarget) -> object:
    return target.rows("SELECT count(*) FROM things")[0][0]


def test_a_serving_stack_is_refused_unless_its_door_is_closed_first(serving: DatabaseTarget, kept: Archive) -> None:
    serving.execute("DELETE FROM things")
    with pytest.raises(PlumblineError, match="the stack serves") as refused:
        restore.restore(serving.home, serving, kept, close_door=False)
    assert "--close-door" in str(refused.value.hint)
    assert serving.stopped == []
    assert _count(serving) == 0


def test_what_is_replaced_is_kept_and_can_be_brought_back(
    serving: DatabaseTarget, kept: Archive, deployed: list[str]
) -> None:
    serving.execute("DELETE FROM things WHERE id > 7")
    replaced = restore.restore(serving.home, serving, kept, close_door=True)
    assert serving.stopped == ["caddy", "backend", "data-processor", "worker"]
    assert deployed == ["after a restore"]
    assert _count(serving) == 2000
    assert replaced is not None
    backup.restored(serving, archive.opened(replaced))
    assert _count(serving) == 7


def test_clients_that_resume_find_no_event_and_no_event_id_again(target: DatabaseTarget) -> None:
    target.execute("CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, told_at timestamptz DEFAULT now())")
    target.execute("INSERT INTO events DEFAULT VALUES")
    kept = backup.snapshot(target, target.stack(), "by-hand")
    target.execute("INSERT INTO events SELECT FROM generate_series(1, 9)")
    backup.restored(target, kept)
    assert target.rows("SELECT count(*) FROM events") == [(0,)]
    ((again,),) = target.rows("INSERT INTO events DEFAULT VALUES RETURNING id")
    assert again > 10


def test_a_stack_whose_services_are_stopped_needs_no_option(target: DatabaseTarget) -> None:
    target.states["postgres"] = Component("postgres", "running")
    kept = archive.opened(backup.snapshot(target, target.stack(), "manual").path)
    target.execute("DELETE FROM things")
    restore.restore(target.home, target, kept, close_door=False)
    assert _count(target) == 2000


def test_after_a_failure_the_stack_runs_on_with_its_data(
    serving: DatabaseTarget, kept: Archive, deployed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PlumblineError("the dump could not be restored, and nothing was replaced: No space left on device")

    monkeypatch.setattr(backup, "restored", fail)
    with pytest.raises(PlumblineError, match="No space left"):
        restore.restore(serving.home, serving, kept, close_door=True)
    assert serving.started == ["worker", "data-processor", "backend", "caddy"]
    assert deployed == []
    assert _count(serving) == 2000


def test_a_full_disk_is_noticed_before_anything_is_replaced_and_the_stack_runs_on(
    serving: DatabaseTarget, kept: Archive, deployed: list[str]
) -> None:
    serving.execute("DELETE FROM things WHERE id > 1900")
    with full_disk(20_000), pytest.raises(PlumblineError, match="its disk is full"):
        restore.restore(serving.home, serving, kept, close_door=True)
    assert serving.started == ["worker", "data-processor", "backend", "caddy"]
    assert deployed == []
    assert _count(serving) == 1900


def test_an_archive_in_a_place_that_cannot_be_written_is_restored_and_verified(
    serving: DatabaseTarget, kept: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    # Permissions do not hold root, so what would be written is in the way.
    kept.path.with_suffix(".verified").mkdir()
    (kept.path.with_suffix(".verified") / "file").touch()
    commands._verify(serving.home, serving, kept)
    assert "(not noted beside it: " in capsys.readouterr().out
    restore.restore(serving.home, serving, kept, close_door=True)
    assert _count(serving) == 2000


def test_a_tampered_archive_is_refused_before_anything_stops(serving: DatabaseTarget, kept: Archive) -> None:
    whole = bytearray(kept.path.read_bytes())
    whole[len(whole) // 2] ^= 1
    kept.path.write_bytes(whole)
    with pytest.raises(PlumblineError, match="was changed after it was written"):
        restore.restore(serving.home, serving, kept, close_door=True)
    assert serving.stopped == []


def test_a_newer_schema_is_refused_and_its_release_named(serving: DatabaseTarget, kept: Archive) -> None:
    contents = replace(kept.manifest.contents, revisions={"backend": "0999_future"})
    newer = replace(kept, manifest=replace(kept.manifest, contents=contents, release="9.0.0"))
    with pytest.raises(PlumblineError, match="newer schema than this release: backend at 0999_future") as refused:
        restore.restore(serving.home, serving, newer, close_door=True)
    assert "use release 9.0.0" in str(refused.value.hint)
    assert serving.stopped == []


def test_without_postgres_nothing_is_restored(target: DatabaseTarget, kept: Archive) -> None:
    target.states["postgres"] = Component("postgres", "stopped")
    with pytest.raises(PlumblineError, match="Postgres is not running"):
        restore.restore(target.home, target, kept, close_door=True)
