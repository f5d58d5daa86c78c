"""The revisions of the two migration chains that this checkout has, read from the names of their files."""

from __future__ import annotations

import re
from pathlib import Path

from plumbline import ROOT
from plumbline.components import MIGRATING, SPECS

_FILE = re.compile(r"(\d{4}_\w+)\.py")


def known(name: str) -> list[str]:
    """Return the revisions of a component's chain, oldest first."""
    spec = SPECS[name]
    folder = ROOT / "services" / spec.folder / spec.package / "migrations"
    folder = folder / "versions" if (folder / "versions").is_dir() else folder
    return sorted(_revisions(folder))


def _revisions(folder: Path) -> list[str]:
    return [found[1] for path in folder.iterdir() if (found := _FILE.fullmatch(path.name))]


def newest() -> dict[str, str]:
    """Return the revision to which each chain is migrated by this checkout."""
    return {name: known(name)[-1] for name in MIGRATING}


def newer(revisions: dict[str, str]) -> dict[str, str]:
    """Return those of `revisions` that this checkout does not have: they were made by a newer release."""
    return {name: revision for name, revision in revisions.items() if revision not in known(name)}
