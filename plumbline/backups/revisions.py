"""The revisions of the two migration chains that this checkout has, read from the names of their files."""

from __future__ import annotations

import re
from pathlib import Path

from plumbline import ROOT
from plumbline.components import MIGRATING, SPECS

FILE = re.compile(r"(\d{4}_\w+)\.py")


def folder(name: str) -> Path:
    """Return the folder of a component's chain, in the checkout."""
    spec = SPECS[name]
    found = Path("services") / spec.folder / str(spec.package) / "migrations"
    return found / "versions" if (ROOT / found / "versions").is_dir() else found


def known(name: str, root: Path = ROOT) -> list[str]:
    """Return the revisions of a component's chain in a checkout, oldest first."""
    return sorted(found[1] for path in (root / folder(name)).iterdir() if (found := FILE.fullmatch(path.name)))


def newest() -> dict[str, str]:
    """Return the revision to which each chain is migrated by this checkout."""
    return {name: known(name)[-1] for name in MIGRATING}


def newer(revisions: dict[str, str]) -> dict[str, str]:
    """Return those of `revisions` that this checkout does not have: they were made by a newer release."""
    return {name: revision for name, revision in revisions.items() if revision not in known(name)}


def named(revisions: dict[str, str]) -> str:
    """Return revisions as words."""
    return ", ".join(f"{chain} at {revision}" for chain, revision in sorted(revisions.items()))
