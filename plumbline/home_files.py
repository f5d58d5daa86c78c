"""The files that a stack creates in its home. `reset` deletes only these."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from plumbline import ROOT
from plumbline.components import SPECS
from plumbline.errors import PlumblineError
from plumbline.rotation.journal import JOURNAL
from plumbline.secret_files import KEY, SECRETS, readable_by

Tree = Mapping[str, "Tree | None"]
"""Name patterns of a folder's entries. None: the entry with all its content; else the patterns below it."""

MARKER = ".plumbline-home"
SETTINGS = "settings.env"
"""The user's own file: deleted only if it was never edited."""
SOURCES = tuple(ROOT / name for name in ("services", "docker", "plumbline", "k8s", "requirements", "tests", "docs"))
"""Folders of the checkout that must not contain a home."""
PREPARED: Tree = {SETTINGS: None, "secrets": dict.fromkeys(SECRETS)}
"""Files that users may create in a home before the first deployment."""
STATE: Tree = dict.fromkeys(("state.json", "state.copy.json", "state.partial", "state.copy.partial"))
BUNDLES = "[0-9]*T[0-9]*-*"
"""Folders in `diagnostics`, named by time and occasion."""
_PROGRAMS = (*SPECS, "supervisord", "watch", "migrate-*", "forward-*", "images")
_LOGS: Tree = {f"{program}.log*": None for program in _PROGRAMS}
_SECRETS = (*readable_by(SECRETS), KEY, JOURNAL)
HOME: Tree = {
    "kubernetes.json": None,
    "kubernetes.partial": None,
    ".kubernetes": None,
    ".plumbline-bundle-*": None,
    "lock": None,  # from versions without a marker
    "secrets": {pattern: None for name in _SECRETS for pattern in (name, f".{name}.partial")},
    "data": {"postgres": None, "postgres.partial": None, "postgres.throwaway-*": None, "baseline": None},
    "tls": {"*.crt": None, "*.key": None, "authority.*": None},
    "logs": _LOGS,
    "run": None,
    "diagnostics": {BUNDLES: None},
    "backups": {".lock": None, "*.partial": None},  # not the archives
    "bundle": {"manifest.json": None, "compose.yaml": None, "defaults": {"*.env": None}},
}
"""Without state and marker, which are deleted last, so that an interrupted `reset` can be repeated."""


def logs(folder: Path) -> list[Path]:
    """Return the stack's current logs in `folder`, without users' files and links."""
    return [path for path in sorted(folder.glob("*.log")) if _find(path.name, _LOGS)[0] and not path.is_symlink()]


def unknown(folder: Path, tree: Tree) -> list[str]:
    """Return the paths in `folder` that `tree` does not contain."""
    found = []
    for path in sorted(folder.iterdir()):
        known, inner = _find(path.name, tree)
        if known and inner is not None and path.is_dir() and not path.is_symlink():
            found += unknown(path, inner)
        elif not known:
            found.append(str(path))
    return found


def remove(folder: Path, tree: Tree) -> list[str]:
    """Delete `tree` in `folder`, and folders that are empty then; return descriptions of what was kept.

    Links are not followed: nothing outside of `folder` is touched, even if a folder is replaced by a link meanwhile.
    Raises PlumblineError if something cannot be deleted.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    try:
        return _remove(descriptor, folder, tree)
    finally:
        os.close(descriptor)


def _remove(descriptor: int, folder: Path, tree: Tree) -> list[str]:
    kept = []
    for entry in sorted(os.scandir(descriptor), key=lambda one: one.name):
        path = folder / entry.name
        known, inner = _find(entry.name, tree)
        if not known or (inner is not None and not entry.is_symlink() and not entry.is_dir()):
            kept.append(str(path))
            continue
        try:
            kept += _remove_one(descriptor, entry, path, inner)
        except OSError as error:
            raise PlumblineError(
                f"{path} cannot be deleted: {error.strerror} ({error.filename})",
                hint="fix that, or run the same command as the file's owner",
            ) from None
    return kept


def _remove_one(descriptor: int, entry: os.DirEntry[str], path: Path, inner: Tree | None) -> list[str]:
    if entry.is_symlink():
        leads_to = os.readlink(entry.name, dir_fd=descriptor)
        os.unlink(entry.name, dir_fd=descriptor)
        return [f"{leads_to}, the target of the link {path}"]
    if inner is None:
        if entry.is_dir():
            shutil.rmtree(entry.name, dir_fd=descriptor)
        else:
            os.unlink(entry.name, dir_fd=descriptor)
        return []
    below = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
    try:
        kept = _remove(below, path, inner)
    finally:
        os.close(below)
    with contextlib.suppress(OSError):  # not empty
        os.rmdir(entry.name, dir_fd=descriptor)
    return kept


def _find(name: str, tree: Tree) -> tuple[bool, Tree | None]:
    """Return whether `tree` has this name, and the tree below it."""
    for pattern, inner in tree.items():
        if fnmatchcase(name, pattern):
            return True, inner
    return False, None
