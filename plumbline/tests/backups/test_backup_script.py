"""The backups that a cluster makes: the script of the CronJob, run as its pod runs it, on a real Postgres."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.backups import archive, backup
from plumbline.backups.store import Store
from plumbline.tests.backups.conftest import DatabaseTarget

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(target: DatabaseTarget) -> Iterator[Path]:
    """A folder in which Postgres's account may write, with the script and what it needs."""
    with target.cluster.throwaway() as (place, _):
        place.chmod(0o755)
        for file in (ROOT / "docker" / "postgres").iterdir():
            shutil.copy(file, place)
        (place / "release").write_text("0.1.0")  # as in the image
        (place / "claim").mkdir()
        target.cluster.account.own(place / "claim")
        yield place


@pytest.fixture
def script(target: DatabaseTarget, folder: Path) -> Script:
    with target.cluster.throwaway() as (_, prefix):
        as_account = prefix
    told = {
        "POSTGRES_HOST": target.server.host, "POSTGRES_PORT": str(target.server.port), "STACK_ID": "s" * 16,
        "POSTGRES_DB": target.server.database, "POSTGRES_USER": target.server.user,
        "POSTGRES_PASSWORD_FILE": str(target.server.password_file),
    }  # fmt: skip

    def run(
        keep: int = 14, prepare: str = "true", program: str = "backup.sh", **changes: str
    ) -> subprocess.CompletedProcess[str]:
        environment = [f"PLUMBLINE_{name}={value}" for name, value in {**told, **changes}.items()]
        command = f'{prepare} && exec bash "{folder}/{program}" "{folder}/claim" {keep}'
        return subprocess.run(
            [*as_account, *environment, "bash", "-c", command],
            capture_output=True, text=True, check=False, timeout=120, cwd="/",
        )  # fmt: skip

    return run


def archives(folder: Path) -> list[str]:
    return [one.path.name for one in Store(folder / "claim").entries()]


def test_it_makes_an_archive_like_the_command_and_verifies_it(
    target: DatabaseTarget, folder: Path, script: Script
) -> None:
    done = script()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(".plumbline: 2001 rows in 3 tables, verified\n")
    (entry,) = Store(folder / "claim").entries()
    kept = archive.opened(entry.path)
    kept.check()
    like = backup.snapshot(target, target.stack(), "scheduled").manifest
    assert kept.manifest.contents.expected() == like.contents.expected()
    assert (kept.manifest.reason, kept.manifest.release, kept.manifest.stack_id) == ("scheduled", "0.1.0", "s" * 16)
    assert entry.verified_at
    assert entry.path.stat().st_mode & 0o777 == 0o600
    target.execute("DELETE FROM things")
    backup.restored(target, kept)
    assert target.rows("SELECT count(*) FROM things") == [(2000,)]
    assert target.server.password.encode() not in entry.path.read_bytes()


@pytest.mark.parametrize("made_by", ["the script", "the command"])
def test_the_newest_is_restored_without_a_home(
    target: DatabaseTarget, folder: Path, script: Script, made_by: str
) -> None:
    if made_by == "the script":
        assert script().returncode == 0
    else:
        path = backup.snapshot(target, target.stack(), "manual").path
        shutil.copy(path, folder / "claim")
        (folder / "claim" / path.name).chmod(0o644)
    target.execute("DELETE FROM things")
    done = script(program="restore-newest.sh")
    assert done.returncode == 0, done.stderr
    assert target.rows("SELECT count(*) FROM things") == [(2000,)]


@pytest.mark.parametrize("damage", ["changed", "truncated", "gone"])
def test_a_damaged_archive_is_not_restored(target: DatabaseTarget, folder: Path, script: Script, damage: str) -> None:
    assert script().returncode == 0
    (entry,) = Store(folder / "claim").entries()
    whole = entry.path.read_bytes()
    if damage == "gone":
        entry.delete()
    else:
        half = len(whole) // 2
        changed = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
        entry.path.write_bytes(changed if damage == "changed" else whole[:half])
    target.execute("DELETE FROM things")
    done = script(program="restore-newest.sh")
    assert done.returncode == 1
    assert "nothing was restored: " in done.stderr
    assert target.rows("SELECT count(*) FROM things") == [(0,)]


def test_it_keeps_the_newest_and_goes_on_counting(folder: Path, script: Script) -> None:
    for _ in range(3):
        assert script(keep=2).returncode == 0
    assert [name[:15] for name in archives(folder)] == ["0002-scheduled-", "0003-scheduled-"]
    left = {one.name for one in (folder / "claim").iterdir()}
    assert left == {".lock", *(f"{name[:-10]}.{end}" for name in archives(folder) for end in ("plumbline", "verified"))}


@pytest.mark.parametrize(
    ("says", "prepare", "changes"),
    [
        ("No space left|File too large", "ulimit -f 20; trap '' XFSZ", {}),
        ("Connection refused", "true", {"POSTGRES_PORT": "1"}),
        ("password authentication failed", "true", {"POSTGRES_PASSWORD_FILE": "/etc/hostname"}),
        ("another one is being written", 'exec 5>>"$claim/.lock"; flock 5', {}),
    ],
    ids=["full disk", "no answer", "wrong password", "a second one"],
)
def test_what_goes_wrong_is_one_sentence_and_earlier_archives_are_kept(
    folder: Path, script: Script, says: str, prepare: str, changes: dict[str, str]
) -> None:
    assert script().returncode == 0
    before = archives(folder)
    done = script(prepare=f"claim={folder}/claim; {prepare}", keep=1, **changes)
    assert done.returncode != 0
    assert re.search(rf"^no backup was made: [^\n]*({says})", done.stderr), done.stderr
    assert archives(folder) == before
    assert script().returncode == 0


def test_an_archive_that_cannot_be_restored_is_not_kept(folder: Path, script: Script) -> None:
    restore = folder / "restore.sh"
    text = restore.read_text()
    restore.write_text(text.replace("pg_restore --file=- --verbose", "head --bytes=100"))
    done = script()
    assert done.returncode == 1
    assert done.stderr.startswith("no backup was made: it could not be restored: ")
    assert archives(folder) == []
