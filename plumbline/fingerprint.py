"""What a deployment was made from, as hashes: a running stack is current if they are those of the checkout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from plumbline import ROOT

SOURCES = ("services", "docker/caddy", "docker/redis", "requirements")
_SKIPPED = frozenset({"__pycache__", "tests", ".hypothesis"})


def of_sources(root: Path = ROOT, *, also: Iterable[str] = ()) -> str:
    """Return the hash of every file that the services run from, and of the files and folders in `also`."""
    digest = hashlib.sha256()
    for source in (*SOURCES, *also):
        place = root / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and not _SKIPPED.intersection(path.relative_to(root).parts) and path.suffix != ".pyc":
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def of_programs(programs: Iterable[object]) -> str:
    """Return the hash of how the programs are run: command lines, settings, accounts."""
    return hashlib.sha256("\0".join(map(repr, programs)).encode()).hexdigest()
