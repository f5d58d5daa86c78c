"""Secrets come to be once, closed, whole, and are never overwritten."""

from __future__ import annotations

import os

import pytest
from servicekit.secrets import read_secret

from plumbline import secret_files
from plumbline.secret_files import SECRETS
from plumbline.testing import unprivileged


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_each_is_generated_closed_and_without_a_line_end(tmp_path, mask):
    before = os.umask(mask)
    try:
        assert secret_files.generate(tmp_path) == list(SECRETS)
    finally:
        os.umask(before)
    values = [(tmp_path / name).read_bytes() for name in SECRETS]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in SECRETS} == {0o600}
    assert len(set(values)) == len(SECRETS)
    assert all(len(value) >= 32 and value.strip() == value for value in values)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SECRETS)
    assert secret_files.problems(tmp_path) == []
    assert read_secret(tmp_path / "token_secret")


def test_two_stacks_share_none(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        secret_files.generate(tmp_path / name)
    assert (tmp_path / "a" / "token_secret").read_text() != (tmp_path / "b" / "token_secret").read_text()


def test_what_exists_is_not_touched(tmp_path):
    (tmp_path / "token_secret").write_text("mine, and long enough\n")
    assert secret_files.generate(tmp_path) == [name for name in SECRETS if name != "token_secret"]
    assert secret_files.generate(tmp_path) == []
    assert (tmp_path / "token_secret").read_text() == "mine, and long enough\n"


@pytest.mark.parametrize("at", ["os.fsync", "pathlib.Path.rename"])
def test_a_generation_that_was_cut_off_leaves_no_half_a_secret_and_is_finished_later(tmp_path, monkeypatch, at):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            secret_files.generate(tmp_path)
    assert not [name for name in SECRETS if (tmp_path / name).exists()]
    assert secret_files.generate(tmp_path) == list(SECRETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SECRETS)


def test_none_yet_is_no_problem(tmp_path):
    assert secret_files.problems(tmp_path) == []
    assert secret_files.problems(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("", 0o600, "is empty"),
        ("changeme", 0o600, "placeholder"),
        ("one line\nand another\n", 0o600, "more than one line"),
        ("short", 0o600, "fewer than"),
        ("long enough to pass", 0o640, "chmod 600"),
        ("long enough to pass", 0o604, "chmod 600"),
    ],
)
def test_a_bad_one_is_named_with_its_way_out(tmp_path, content, mode, said):
    path = tmp_path / "operator_password"
    path.write_text(content)
    path.chmod(mode)
    (problem,) = secret_files.problems(tmp_path)
    assert said in problem
    assert str(path) in problem
    assert "long enough" not in problem


def test_one_that_cannot_be_read_and_one_that_points_nowhere(public_folder):
    (public_folder / "token_secret").write_text("long enough to pass")
    (public_folder / "token_secret").chmod(0)
    (public_folder / "operator_password").symlink_to(public_folder / "nowhere")
    with unprivileged():
        problems = secret_files.problems(public_folder)
    assert ["cannot be read by this user" in problem for problem in problems] == [True, False]
    assert "does not exist" in problems[1]


def test_what_a_link_leads_to_is_not_opened_to_containers(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    secret_files.generate(folder)
    elsewhere = (folder / "token_secret").rename(tmp_path / "mine")
    (folder / "token_secret").symlink_to(elsewhere)
    (problem,) = secret_files.problems(folder, shared_with_containers=True)
    assert f"{folder / 'token_secret'} is a link" in problem
    secret_files.share_with_containers(folder)
    assert elsewhere.stat().st_mode & 0o777 == 0o600
