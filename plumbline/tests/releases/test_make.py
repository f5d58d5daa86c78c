"""A release: what the command writes, commits and tags, in a git repository of its own, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from servicekit import facts

from plumbline import ROOT
from plumbline.checkout import Checkout
from plumbline.errors import PlumblineError
from plumbline.releases import changelog
from plumbline.releases.make import RELEASE_IN, VERSION_IN, make

FIRST = "0123456789abcdef0123456789abcdef01234567"
CHANGES = f"""\
# Changelog

## [Unreleased]

### Added

- A way
  back.

## [0.1.0] - 2026-11-30

Commit `{FIRST}`.

The first version.
"""
IN_DEVELOPMENT = facts.VERSION.endswith("-dev")
NEWEST = changelog.releases(changelog.read())[0].version if IN_DEVELOPMENT else facts.VERSION
TODAY = date(2026, 12, 1)
NOW = "0.2.0-dev"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A repository with this checkout's own files that name a version, as they are after release 0.1.0."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for patterns, there, wanted in ((VERSION_IN, facts.VERSION, NOW), (RELEASE_IN, NEWEST, "0.1.0")):
        for name, pattern in patterns.items():
            text = (ROOT / name).read_text()
            assert pattern.format(there) in text, f"{name} names another version than {there}"
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text.replace(pattern.format(there), pattern.format(wanted)))
    (tmp_path / changelog.FILE).write_text(CHANGES)
    (tmp_path / "page.md").write_text("")
    found = Checkout(tmp_path)
    found.git("init", "--quiet", "--initial-branch=main")
    for name, value in (("name", "A Person"), ("email", "a.person@example.org")):
        found.git("config", f"user.{name}", value)
    commit(found)
    return found


def commit(checkout: Checkout) -> None:
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message", "Change files")


def pages_of(checkout: Checkout) -> Callable[[], None]:
    """Return what writes a page with the version, as it is in the file when the page is written."""

    def write() -> None:
        (checkout.root / "page.md").write_text(version_in(checkout, ""))

    return write


def version_in(checkout: Checkout, commit: str) -> str:
    name = "services/servicekit/servicekit/facts.py"
    text = checkout.git("show", f"{commit}:{name}") if commit else (checkout.root / name).read_text()
    return text.partition('VERSION = "')[2].partition('"')[0]


def release(checkout: Checkout, version: str = "0.2.0", today: date = TODAY) -> str:
    return make(checkout.root, version, NOW, today, pages_of(checkout))


def test_a_release_has_its_date_its_version_and_a_tag(checkout: Checkout) -> None:
    said = release(checkout)
    released = checkout.git("rev-parse", "v0.2.0^{commit}")
    assert checkout.git("cat-file", "-t", "v0.2.0") == "tag", "it is annotated"
    assert "## [0.2.0] - 2026-12-01\n\n### Added\n\n- A way\n" in checkout.git("show", f"{released}:{changelog.FILE}")
    assert version_in(checkout, released) == checkout.git("show", f"{released}:page.md") == "0.2.0"
    for name, pattern in RELEASE_IN.items():
        assert pattern.format("0.2.0") in checkout.git("show", f"{released}:{name}") + "\n"
    assert f"Released 0.2.0 as {released}" in said
    assert "git push --atomic origin main v0.2.0" in said


def test_the_next_version_begins_with_the_commit_of_the_release_in_the_changelog(checkout: Checkout) -> None:
    release(checkout)
    assert checkout.changes() == ""
    assert checkout.git("log", "--format=%s", "-2") == "Begin the version after 0.2.0\nRelease 0.2.0"
    assert version_in(checkout, "HEAD") == checkout.git("show", "HEAD:page.md") == "0.3.0-dev"
    text = changelog.read(checkout.root)
    found = changelog.releases(text)
    assert [(one.version, one.commit) for one in found] == [
        ("0.2.0", checkout.git("rev-parse", "HEAD^")), ("0.1.0", FIRST)
    ]  # fmt: skip
    assert changelog.unreleased(text) == []
    # The commit that was released has a changelog that can be read, too.
    (before,) = changelog.releases(checkout.git("show", f"HEAD^:{changelog.FILE}") + "\n")
    assert before.version == "0.1.0"


def test_the_release_after_it_is_made_in_the_same_way(checkout: Checkout) -> None:
    release(checkout)
    (checkout.root / changelog.FILE).write_text(
        changelog.read(checkout.root).replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A fault.\n")
    )
    commit(checkout)
    make(checkout.root, "0.2.1", "0.3.0-dev", TODAY, pages_of(checkout))
    assert [one.version for one in changelog.releases(changelog.read(checkout.root))] == ["0.2.1", "0.2.0", "0.1.0"]
    assert version_in(checkout, "HEAD") == "0.3.0-dev"


def edit(checkout: Checkout) -> None:
    (checkout.root / "pyproject.toml").write_text("changed")


def empty(checkout: Checkout) -> None:
    (checkout.root / changelog.FILE).write_text(CHANGES.replace("- A way\n  back.\n", ""))
    commit(checkout)


def tag(checkout: Checkout) -> None:
    checkout.git("tag", "v0.2.0")


def detach(checkout: Checkout) -> None:
    checkout.git("checkout", "--quiet", "--detach")


def nothing(checkout: Checkout) -> None:
    del checkout


@pytest.mark.parametrize(
    ("prepare", "version", "today", "said"),
    [
        (edit, "0.2.0", TODAY, "changes that are not committed:\n       M pyproject.toml"),
        (empty, "0.2.0", TODAY, r"has no entry under `## \[Unreleased\]`"),
        (tag, "0.2.0", TODAY, "the tag v0.2.0 exists"),
        (detach, "0.2.0", TODAY, "no branch is checked out"),
        (nothing, "0.3.0", TODAY, "does not follow 0.1.0: the next is 0.1.1, 0.2.0 or 1.0.0"),
        (nothing, "0.1.0", TODAY, "does not follow 0.1.0"),
        (nothing, "0.2", TODAY, "does not follow 0.1.0"),
        (nothing, "0.2.0", date(2026, 11, 29), "check this machine's clock"),
    ],
    ids=["dirty", "empty", "tagged", "detached", "too far", "again", "no version", "clock"],
)
def test_a_release_is_refused_and_nothing_changes(
    checkout: Checkout, prepare: Callable[[Checkout], None], version: str, today: date, said: str
) -> None:
    prepare(checkout)
    before = (checkout.head(), checkout.git("tag", "--list"), checkout.changes())
    with pytest.raises(PlumblineError, match=said):
        release(checkout, version, today)
    assert (checkout.head(), checkout.git("tag", "--list"), checkout.changes()) == before


def test_everything_that_is_wrong_is_said_at_once(checkout: Checkout) -> None:
    tag(checkout)
    edit(checkout)
    with pytest.raises(PlumblineError, match=r"(?s)does not follow.*not committed.*") as refused:
        release(checkout, "0.4.0")
    assert str(refused.value).startswith("0.4.0 was not released:\n  - ")


def test_what_was_done_is_undone_if_the_second_commit_fails(checkout: Checkout) -> None:
    before, written = checkout.head(), pages_of(checkout)

    def fails_at_the_second() -> None:
        if version_in(checkout, "") != "0.2.0":
            raise PlumblineError("the generated pages cannot be written")
        written()

    with pytest.raises(PlumblineError, match="cannot be written"):
        make(checkout.root, "0.2.0", NOW, TODAY, fails_at_the_second)
    assert (checkout.head(), checkout.git("tag", "--list"), checkout.changes()) == (before, "", "")


def test_the_command_refuses_in_one_sentence() -> None:
    command = [sys.executable, "-m", "plumbline.releases", "0.0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(("release: 0.0.1 was not released:", "release: `git ", "release: git is not"))
    assert "Traceback" not in done.stderr
