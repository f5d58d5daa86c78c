"""The next process deletes the folder of a killed one, and a long TMPDIR does not break a socket in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servicekit.lifeline import watched_workers
from servicekit.own_folder import own_folder

KILLED = """
import os, signal
from servicekit.own_folder import own_folder
with own_folder("test"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path; that of `tmp_path` may be too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="plumbline-test-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def test_the_folder_of_a_killed_process_is_deleted_and_others_stay(temp: Path) -> None:
    environment = {"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(temp)}
    subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    (left,) = temp.iterdir()
    others = [temp / name for name in ("plumbline-test-1-running", "plumbline-test-mine", "plumbline-other-4194305-x")]
    for folder in others:
        folder.mkdir()
    with own_folder("test") as own:
        assert own.stat().st_mode & 0o777 == 0o700
        assert not left.exists()
        assert set(temp.iterdir()) == {own, *others}
    assert set(temp.iterdir()) == set(others)


def test_a_link_is_not_followed(temp: Path) -> None:
    kept = temp / "kept"
    kept.mkdir()
    (temp / "plumbline-test-4194305-x").symlink_to(kept)
    with own_folder("test"):
        assert kept.is_dir()


def test_workers_are_watched_with_a_long_temporary_path(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = temp / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.setenv("PLUMBLINE_BEAT_SOCKET", "")
    with watched_workers():
        pass
