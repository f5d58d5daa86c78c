"""The way of a checkout back to the release before, in a git repository of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.backups import revisions
from plumbline.checkout import Checkout
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.releases import history
from plumbline.releases.history import Earlier, Way

OLD, NEW = ({"backend": f"{number}_b", "data-processor": "0001_d"} for number in ("0001", "0002"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Two releases of which the second has a migration more, and is checked out on a branch."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    root = tmp_path / "checkout"
    root.mkdir()
    found = Checkout(root)
    found.git("init", "--quiet", "--initial-branch=main")
    for name, value in (("name", "A Person"), ("email", "a.person@example.org")):
        found.git("config", f"user.{name}", value)
    for chain, name in OLD.items():
        folder = root / revisions.folder(chain)
        folder.mkdir(parents=True)
        for stem in (name, "__init__"):
            (folder / f"{stem}.py").write_text("")
    (root / "deploy-local.sh").write_text("old")
    commit(found)
    (root / revisions.folder("backend") / "0002_b.py").write_text("")
    (root / "deploy-local.sh").write_text("new")
    commit(found)
    return found


def commit(checkout: Checkout) -> None:
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message", "Change files")


@pytest.fixture
def first(checkout: Checkout) -> Earlier:
    return Earlier("0.1.0", checkout.git("rev-parse", "HEAD^"))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    done: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: done.append([str(path), *arguments[1:]]))
    return done


def test_the_checkout_goes_to_the_release_and_starts_it(
    checkout: Checkout, first: Earlier, started: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    way = Way.found(first, OLD, home_of(checkout), checkout)
    assert way.announced().startswith(f"Then `git checkout` takes {checkout.root} to that commit")
    way.go(Home(tmp_path / "home"))
    assert checkout.head() == first.commit
    assert (checkout.root / "deploy-local.sh").read_text() == "old"
    assert started == [[str(checkout.root / "deploy-local.sh"), "up", "--home", str(tmp_path / "home")]]
    assert f"Forward again: git checkout main && ./deploy-local.sh --home {tmp_path}" in capsys.readouterr().out


def test_files_that_git_does_not_know_are_kept(checkout: Checkout, first: Earlier, started: list[list[str]]) -> None:
    (checkout.root / "notes").write_text("mine")
    Way.found(first, OLD, home_of(checkout), checkout).go(home_of(checkout))
    assert (checkout.root / "notes").read_text() == "mine"
    assert len(started) == 1


def home_of(checkout: Checkout) -> Home:
    return Home(checkout.root / ".plumbline")


def changed(checkout: Checkout, first: Earlier) -> Way:
    (checkout.root / "deploy-local.sh").write_text("mine")
    return Way.found(first, OLD, home_of(checkout), checkout)


def unknown(checkout: Checkout, first: Earlier) -> Way:
    del first
    return Way.found(Earlier("0.1.0", "f" * 40), OLD, home_of(checkout), checkout)


def unrecorded(checkout: Checkout, first: Earlier) -> Way:
    del first
    return Way.found(Earlier("", ""), OLD, home_of(checkout), checkout)


def another_schema(checkout: Checkout, first: Earlier) -> Way:
    return Way.found(first, NEW, home_of(checkout), checkout)


def bundled(checkout: Checkout, first: Earlier) -> Way:
    home_of(checkout).bundle.mkdir(parents=True)
    return Way.found(first, OLD, home_of(checkout), checkout)


def no_checkout(checkout: Checkout, first: Earlier) -> Way:
    return Way.found(first, OLD, home_of(checkout), Checkout(checkout.root.parent))


def inside_another(checkout: Checkout, first: Earlier) -> Way:
    return Way.found(first, OLD, home_of(checkout), Checkout(checkout.root / "services"))


@pytest.mark.parametrize(
    ("prepared", "said"),
    [
        (changed, "has changes that are not committed (deploy-local.sh)"),
        (unknown, "the commit ffffffffffff is not in this clone: git fetch --unshallow"),
        (unrecorded, "the commit of that release is not recorded"),
        (another_schema, "needs another schema: backend at 0001_b, data-processor at 0001_d"),
        (bundled, "the stack came in a bundle: load that of the earlier release"),
        (no_checkout, "it is no git checkout"),
        (inside_another, "it is a part of another git checkout"),
    ],
)
def test_a_checkout_that_cannot_go_there_stays_and_the_commands_are_printed(
    checkout: Checkout, first: Earlier, started: list[list[str]], capsys: pytest.CaptureFixture[str],
    prepared: Callable[[Checkout, Earlier], Way], said: str,
) -> None:  # fmt: skip
    before, way = checkout.head(), prepared(checkout, first)
    assert said in way.announced()
    way.go(home_of(checkout))
    assert (checkout.head(), started) == (before, [])
    command = "./deploy-local.sh bundle load ARCHIVE" if prepared is bundled else "git checkout "
    assert f"Start that release now:\n  {command}" in capsys.readouterr().out


def test_a_checkout_that_git_refuses_names_the_commands(
    checkout: Checkout, first: Earlier, started: list[list[str]]
) -> None:
    way = Way.found(first, OLD, home_of(checkout), checkout)
    (checkout.root / ".git" / "index.lock").write_text("")
    with pytest.raises(PlumblineError, match=r"index\.lock") as refused:
        way.go(home_of(checkout))
    assert f"git checkout {first.commit} && ./deploy-local.sh" in str(refused.value.hint)
    assert started == []


def test_a_release_that_was_not_recorded_is_found_by_its_schema(checkout: Checkout, first: Earlier) -> None:
    text = f"## [Unreleased]\n\n## [0.1.0] - 2026-11-30\n\nCommit `{first.commit}`.\n"
    (checkout.root / "CHANGELOG.md").write_text(text)
    assert history.with_schema(OLD, checkout) == first
    assert history.with_schema(NEW, checkout) == Earlier("", "")


def test_going_back_forgets_the_later_releases() -> None:
    one, two, three = ({"version": f"0.{n}.0", "commit": str(n)} for n in (1, 2, 3))
    assert history.before([], {}, one) == []
    assert history.before([], one, one) == []
    assert history.before([one], two, three) == [one, two]
    assert history.before([one, two], three, two) == [one]
    many = [{"version": "0.0.1", "commit": f"c{n}"} for n in range(30)]
    assert history.before(many[:-1], many[-1], one)[-1] == many[-1]
    assert len(history.before(many[:-1], many[-1], one)) == 10
