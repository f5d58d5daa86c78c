"""The changelog as data: the releases with their dates and commits, and the section of what is not released yet.

A release is found by the commit in its section: tags may be missing from a clone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError

FILE = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]"
_SECTION = re.compile(
    r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<date>\d{4}-\d\d-\d\d)\n\nCommit `(?P<commit>[0-9a-f]{40})`\.$",
    re.MULTILINE,
)
_HEADING = re.compile(r"^## ", re.MULTILINE)
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Release:
    """A section of the changelog: the version, its date, and the commit to check out."""

    version: str
    date: date
    commit: str


def read(root: Path = ROOT) -> str:
    """Return the text of the changelog."""
    return (root / FILE).read_text(encoding="utf-8")


def releases(text: str) -> list[Release]:
    """Return the releases before what is checked out, newest first. Raises PlumblineError if one cannot be read."""
    found = [Release(one["version"], date.fromisoformat(one["date"]), one["commit"]) for one in _SECTION.finditer(text)]
    # The first section is that of the checkout: no release yet, or a release that cannot know its own commit.
    if len(_HEADING.findall(text)) != len(found) + 1 or not found:
        raise PlumblineError(
            f"{FILE} needs, below each `## [VERSION] - DATE` but the first, an empty line and ``Commit `HASH`.``",
            hint=f"git log -p {FILE}",
        )
    return found


def unreleased(text: str) -> list[str]:
    """Return the entries of the section of what is not released yet: their first lines."""
    section = _HEADING.split(text.partition(UNRELEASED)[2])[0]
    return [line for line in section.splitlines() if line.startswith("- ")]


def dated(text: str, version: str, day: date) -> str:
    """Return the changelog with a release's version and date in place of `[Unreleased]`."""
    return text.replace(UNRELEASED, f"## [{version}] - {day.isoformat()}", 1)


def recorded(text: str, version: str, commit: str) -> str:
    """Return the changelog with the commit of a release in its section, and an empty section above it."""
    heading = f"## [{version}] - "
    before, _, after = text.partition(heading)
    day, _, rest = after.partition("\n")
    return f"{before}{UNRELEASED}\n\n{heading}{day}\n\nCommit `{commit}`.\n{rest}"


def parsed(version: str) -> tuple[int, ...]:
    """Return the three numbers of a version. Raises PlumblineError."""
    if not (found := _VERSION.fullmatch(version)):
        raise PlumblineError(f"{version!r} is no version: three numbers, such as 0.2.0")
    return tuple(map(int, found.groups()))


def successors(version: str) -> list[str]:
    """Return the versions that may follow one: a patch, a minor and a major release."""
    major, minor, patch = parsed(version)
    return [f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"]


def in_development(version: str) -> str:
    """Return the version that a checkout has after a release, until the next one."""
    return f"{successors(version)[1]}-dev"
