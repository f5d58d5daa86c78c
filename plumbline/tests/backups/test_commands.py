"""What `backup` and `restore` print and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from plumbline import cli
from plumbline.backups import age, archive, backup, schedule
from plumbline.backups.progress import Progress, size
from plumbline.components import COMPONENTS
from plumbline.plan import ON_BASELINE
from plumbline.stack import Component
from plumbline.tests.backups.conftest import DatabaseTarget

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(target: DatabaseTarget, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    target.states = {name: Component(name, "running") for name in COMPONENTS}
    target.home.save(target.home.load(), target="scripted", phase="ready")
    monkeypatch.setattr("plumbline.targets.choose.choose", lambda wanted, home: (target, "scripted"))

    def command(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments, "--home", str(target.home.root)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_backup_names_its_file_and_what_is_in_it_and_can_be_listed_and_verified(run: Run) -> None:
    code, said, _ = run("backup")
    assert code == 0
    path, summary, proof = said.splitlines()
    assert proof.split("prove it    ")[1].startswith("./deploy-local.sh backup --home ")
    assert proof.endswith(f" --verify {path.rpartition('/')[2]}")
    assert path.endswith(".plumbline")
    assert "2001 rows in 3 tables" in summary
    assert "not verified" in run("backup", "list")[1]
    assert run("backup", "--verify", "newest")[:2] == (
        0, f"Verified {path}: 2001 rows in 3 tables, all checksums are the archive's.\n"
    )  # fmt: skip
    listed = run("backup", "list")[1]
    assert " verified 20" in listed
    assert len(listed) <= 81, "a line is wider than a terminal"


def test_a_scheduled_backup_is_verified_at_once_and_old_ones_are_deleted(run: Run, target: DatabaseTarget) -> None:
    for _ in range(3):
        assert run("backup", "--scheduled", "--keep", "2")[0] == 0
    entries = backup.store_of(target.stack()).entries()
    assert [one.number for one in entries] == [2, 3]
    assert all(one.verified_at for one in entries)
    assert "the newest verified one is about a minute old" in age.newest(target.home, target).line()


def test_the_age_of_the_newest_verified_backup_is_said(run: Run, target: DatabaseTarget) -> None:
    assert "none is verified" in age.newest(target.home, target).line()
    run("backup", "--scheduled")
    now = datetime.now(UTC)
    newest = age.newest(target.home, target)
    assert " 5 days old (0001-" in newest.line(now + timedelta(days=5))
    assert "check this machine's clock" in newest.line(now - timedelta(days=1))
    target.in_cluster = now + timedelta(hours=1)
    newest = age.newest(target.home, target)
    assert newest.line(now + timedelta(hours=4)) == "the newest verified one is 3 hours old (in the cluster)"


def test_status_as_json_says_when_the_newest_verified_backup_was_made(run: Run, target: DatabaseTarget) -> None:

    def said() -> dict[str, str | None]:
        found: dict[str, str | None] = json.loads(run("status", "--json")[1])["newest_verified_backup"]
        return found

    assert said() == {"made_at": None, "name": "", "problem": ""}
    run("backup", "--scheduled")
    (entry,) = backup.store_of(target.stack()).entries()
    made_at = archive.opened(entry.path).manifest.made_at
    assert said() == {"made_at": made_at, "name": entry.path.name, "problem": ""}
    entry.path.write_bytes(b"x" * entry.path.stat().st_size)
    assert "is not an archive of Plumbline" in str(said()["problem"])


def test_what_cannot_be_used_is_one_sentence_with_the_way_out(run: Run, target: DatabaseTarget) -> None:
    code, _, said = run("restore", "newest")
    assert code == 1
    assert said.startswith("plumbline: there is no backup in ")
    assert "next: make one: ./deploy-local.sh backup --home" in said
    run("backup")
    (entry,) = backup.store_of(target.stack()).entries()
    entry.path.write_bytes(entry.path.read_bytes()[:3000])
    code, said, _ = run("backup", "list")
    assert code == 0
    assert "cannot be used: " in said
    assert "Traceback" not in run("restore", entry.path.name, "--close-door")[2]
    target.states["postgres"] = Component("postgres", "stopped")
    assert "Postgres is not running" in run("backup")[2]


def test_a_restore_reads_an_archive_from_another_folder(run: Run, target: DatabaseTarget, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert run("backup", "--directory", str(tmp_path / "elsewhere"))[0] == 0
    (path,) = (tmp_path / "elsewhere").glob("*.plumbline")
    assert archive.opened(path).manifest.reason == "manual"
    assert backup.store_of(target.stack()).entries() == []
    code, _, said = run("restore", str(path))
    assert code == 1
    assert "the stack serves" in said


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_progress_estimates_only_when_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("restore", 1000)
    progress._started -= 30
    progress._reported -= 30
    progress(20)
    progress._reported -= 30
    progress(500)
    unknown = Progress("backup")
    unknown._reported -= 30
    unknown(5_000_000)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "restore: 20 B of 1.0 kB",
        "restore: 500 B of 1.0 kB, about 30 s left",
        "backup: 5.0 MB, 0 s so far",
    ]


def test_a_reset_keeps_backups_and_says_where(run: Run, target: DatabaseTarget) -> None:
    run("backup")
    code, said, _ = run("reset", "--yes")
    folder = target.home.root / "backups"
    assert (code, said) == (0, f"Deleted the stack in {target.home.root}. The backups in {folder} are kept.\n")
    assert [one.suffix for one in folder.iterdir()] == [".plumbline"]


def test_a_reset_ends_regular_backups(run: Run, target: DatabaseTarget, systemctl_calls: list[tuple[str, ...]]) -> None:
    code, said, _ = run("backup", "--every", "6h")
    assert (code, "makes and verifies a backup every 6h" in said) == (0, True)
    assert schedule.installed(target.home)
    assert "No backups of" in run("reset", "--yes")[1]
    assert not schedule.installed(target.home)
    assert ("disable", "--now", schedule.names(target.home.root)[1]) in systemctl_calls


@pytest.mark.parametrize("command", [["backup"], ["restore", "newest"]])
def test_on_the_baseline_the_way_forward_is_said(run: Run, target: DatabaseTarget, command: list[str]) -> None:
    run("backup")
    target.lineup = ON_BASELINE
    code, _, said = run(*command)
    assert code == 1
    assert "the stack is on the baseline, and Postgres is stopped" in said
    assert "--forward" in said
