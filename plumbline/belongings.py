"""What a stack makes in its home, by name: `reset` deletes this and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from plumbline import ROOT
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError
from plumbline.secret_files import KEY, SECRETS

Made = Mapping[str, "Made | None"]
"""Patterns of names in a folder. None: the stack's own, with all that is in it. Else: what is the stack's own below."""

MARKER = ".plumbline-home"
SETTINGS = "settings.env"
"""A user's own file: deleted only if nothing was ever written into it."""
SOURCES = tuple(ROOT / name for name in ("services", "docker", "plumbline", "k8s", "requirements", "tests", "docs"))
"""Folders of the checkout in which no home may be."""
PREPARED: Made = {SETTINGS: None, "secrets": dict.fromkeys(SECRETS)}
"""What people may put into a home before the first deployment."""
STATE: Made = dict.fromkeys(("state.json", "state.copy.json", "state.partial", "state.copy.partial"))
BUNDLES = "[0-9]*T[0-9]*-*"
"""Folders in `diagnostics`, each named after a moment and an occasion."""
_PROGRAMS = (*COMPONENTS, "supervisord", "watch", "migrate-*", "forward-*", "images")
_LOGS: Made = {f"{program}.log*": None for program in _PROGRAMS}
IN_A_HOME: Made = {
    "kubernetes.json": None,
    "kubernetes.partial": None,
    ".kubernetes": None,
    ".plumbline-bundle-*": None,
    "lock": None,  # of versions without a marker
    "secrets": {pattern: None for name in (*SECRETS, KEY) for pattern in (name, f".{name}.partial")},
    "data": {"postgres": None, "postgres.partial": None},
    "logs": _LOGS,
    "run": None,
    "diagnostics": {BUNDLES: None},
    "bundle": {"manifest.json": None, "compose.yaml": None, "defaults": {"*.env": None}},
}
"""Without the state and the marker, which go last: a `reset` that was interrupted can be given again."""


def logs(folder: Path) -> list[Path]:
    """Return the logs in `folder` that the stack writes to now: none of a user's, and none that a link leads to."""
    return [path for path in sorted(folder.glob("*.log")) if _look_up(path.name, _LOGS)[0] and not path.is_symlink()]


def unknown(folder: Path, made: Made) -> list[str]:
    """Return what is in `folder` beside `made`."""
    found = []
    for path in sorted(folder.iterdir()):
        known, inner = _look_up(path.name, made)
        if known and inner is not None and path.is_dir() and not path.is_symlink():
            found += unknown(path, inner)
        elif not known:
            found.append(str(path))
    return found


def remove(folder: Path, made: Made) -> list[str]:
    """Delete `made` in `folder`, and the folders in it that are empty then; return what was kept, each in words.

    A link is deleted as a link: nothing outside of `folder` is touched, even if a folder is exchanged for a link now.
    Raises PlumblineError if something cannot be deleted.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    try:
        return _remove(descriptor, folder, made)
    finally:
        os.close(descriptor)


def _remove(descriptor: int, folder: Path, made: Made) -> list[str]:
    kept = []
    for entry in sorted(os.scandir(descriptor), key=lambda one: one.name):
        path = folder / entry.name
        known, inner = _look_up(entry.name, made)
        if not known or (inner is not None and not entry.is_symlink() and not entry.is_dir()):
            kept.append(str(path))
            continue
        try:
            kept += _remove_one(descriptor, entry, path, inner)
        except OSError as error:
            raise PlumblineError(
                f"{path} cannot be deleted: {error.strerror} ({error.filename})",
                hint="put that right, or do it as the user that it belongs to; then the same again",
            ) from None
    return kept


def _remove_one(descriptor: int, entry: os.DirEntry[str], path: Path, inner: Made | None) -> list[str]:
    if entry.is_symlink():
        leads_to = os.readlink(entry.name, dir_fd=descriptor)
        os.unlink(entry.name, dir_fd=descriptor)
        return [f"{leads_to}, which {path} led to"]
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


def _look_up(name: str, made: Made) -> tuple[bool, Made | None]:
    """Return whether `made` has this name, and what is made below it."""
    for pattern, inner in made.items():
        if fnmatchcase(name, pattern):
            return True, inner
    return False, None
