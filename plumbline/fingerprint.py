"""Hashes of a deployment's sources and programs, to detect whether a running stack is current."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from plumbline import ROOT
from plumbline.secret_files import SECRETS

SOURCES = ("services", "docker/caddy", "docker/redis", "requirements")
_SKIPPED = frozenset({"__pycache__", "tests", ".hypothesis", *SECRETS})
"""Folders and files that do not count, also secrets that were made by hand for an overlay."""


def of_sources(root: Path = ROOT, *, also: Iterable[str] = ()) -> str:
    """Return a hash of all sources of the services, and of the files and folders in `also`."""
    return of_files((*SOURCES, *also), root)


def of_files(sources: Iterable[str], root: Path = ROOT) -> str:
    """Return a hash of files and folders below `root`, without tests and what programs make themselves."""
    digest = hashlib.sha256()
    for source in sources:
        path_of_source = root / source
        for path in sorted(path_of_source.rglob("*")) if path_of_source.is_dir() else [path_of_source]:
            if path.is_file() and not _SKIPPED.intersection(path.relative_to(root).parts) and path.suffix != ".pyc":
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def of_programs(programs: Iterable[object]) -> str:
    """Return a hash of the programs' command lines, settings and accounts."""
    return hashlib.sha256("\0".join(map(repr, programs)).encode()).hexdigest()
