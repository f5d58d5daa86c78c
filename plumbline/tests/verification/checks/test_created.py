"""Deletion of what killed runs left."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from plumbline.errors import PlumblineError
from plumbline.stack import Stack
from plumbline.tests.conftest import ScriptedTarget
from plumbline.verification.checks import created


@pytest.fixture
def stack(scripted: ScriptedTarget, tmp_path: Path) -> Stack:
    """A stack whose front door does not answer."""
    (tmp_path / "home").mkdir()
    return dataclasses.replace(scripted.stack(), base_url="http://127.0.0.1:1", home=str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def killed(stack: Stack, folder: Path) -> Path:
    """Return the file of a killed run that had registered one user."""
    run = created.Run(stack, folder)
    name = run.new_name()
    run.record_account(name, "its password")
    run.record_channel(name, 7)
    run._file.close()
    return run._path


def test_names_begin_with_prefix_and_run(stack: Stack, folder: Path) -> None:
    first, second = created.Run(stack, folder), created.Run(stack, folder)
    names = {run.new_name() for run in (first, first, second)}
    assert len({name.rpartition("-")[0] for name in names}) == 2
    assert all(name.startswith(created.PREFIX) and len(name) <= 32 for name in names)


def test_files_with_passwords_are_private(stack: Stack, folder: Path) -> None:
    path = killed(stack, folder)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_an_unusable_folder_is_named(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        PlumblineError, match=r"file, where checks record .* change its owner to yourself, or delete it"
    ):
        created.Run(stack, tmp_path / "file")


def test_a_failed_deletion_is_left_for_the_next_run(stack: Stack, folder: Path) -> None:
    path = killed(stack, folder)
    (left,) = created.delete_leftovers_of_killed_runs(stack, folder)
    assert left.what.startswith(path.stem)
    assert "refused" in left.reason
    assert path.exists()


def test_a_run_in_progress_is_ignored(stack: Stack, folder: Path) -> None:
    run = created.Run(stack, folder)
    run.record_account(run.new_name(), "its password")
    assert created.delete_leftovers_of_killed_runs(stack, folder) == []
    assert run._path.exists()


def test_a_file_of_another_stack_stays_until_that_stack_is_removed(stack: Stack, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = killed(dataclasses.replace(stack, home=str(tmp_path / "other")), folder)
    assert created.delete_leftovers_of_killed_runs(stack, folder) == []
    assert path.exists()
    (tmp_path / "other").rmdir()
    assert created.delete_leftovers_of_killed_runs(stack, folder) == []
    assert not path.exists()


def test_an_incomplete_last_line_is_ignored(stack: Stack, folder: Path) -> None:
    path = killed(stack, folder)
    with path.open("a") as file:
        file.write('{"username": "plumbline-che')
    assert len(created.delete_leftovers_of_killed_runs(stack, folder)) == 1


def test_a_run_that_created_nothing_leaves_no_file(stack: Stack, folder: Path) -> None:
    run = created.Run(stack, folder)
    assert run.delete() == []
    assert list(folder.iterdir()) == []
