"""The changelog of this checkout: releases have dates and commits, and the version is that of the first section."""

from __future__ import annotations

import tomllib
from itertools import pairwise

import pytest
from servicekit import facts

from plumbline import ROOT
from plumbline.checkout import Checkout
from plumbline.errors import PlumblineError
from plumbline.releases import changelog

RELEASES = changelog.releases(changelog.read())


def test_the_version_is_the_same_everywhere() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == facts.VERSION
    newest = RELEASES[0].version
    if changelog.UNRELEASED in changelog.read():
        assert changelog.in_development(newest) == facts.VERSION
    else:
        assert f"\n## [{facts.VERSION}] - " in changelog.read()
        assert facts.VERSION in changelog.successors(newest)


def test_each_release_follows_the_one_below() -> None:
    for newer, older in pairwise(RELEASES):
        assert newer.version in changelog.successors(older.version)
        assert newer.date >= older.date


@pytest.mark.parametrize("release", RELEASES, ids=lambda one: one.version)
def test_the_commit_of_a_release_is_that_version_and_in_the_history(release: changelog.Release) -> None:
    checkout = Checkout()
    try:
        whole = checkout.git("rev-parse", "--is-shallow-repository") == "false"
    except PlumblineError as error:
        pytest.skip(f"this is no git checkout: {error}")
    if not whole:
        pytest.skip("this clone is shallow: git fetch --unshallow")
    assert checkout.git("merge-base", release.commit, "HEAD") == release.commit
    facts_then = checkout.git("show", f"{release.commit}:services/servicekit/servicekit/facts.py")
    assert f'VERSION = "{release.version}"\n' in facts_then


def test_a_section_without_a_commit_is_an_error() -> None:
    text = "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n## [0.1.0] - 2026-11-30\n\nCommit `" + "a" * 40
    with pytest.raises(PlumblineError, match="below each"):
        changelog.releases(f"{text}`.\n")


@pytest.mark.parametrize("version", ["0.2", "v0.2.0", "0.02.0", "0.2.0-dev", ""])
def test_a_version_is_three_numbers(version: str) -> None:
    with pytest.raises(PlumblineError, match="is no version"):
        changelog.parsed(version)
