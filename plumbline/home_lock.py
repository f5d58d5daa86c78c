"""The lock of a home: one command at a time changes it. The file that is locked is the home's marker as well."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from plumbline.belongings import MARKER
from plumbline.errors import PlumblineError

_WORDS = "The home of a Plumbline stack: ./deploy-local.sh reset deletes it.\n"
_LOCKS = Path("/proc/locks")


def has_marker(root: Path) -> bool:
    """Say whether the folder carries the marker. Raises OSError if it cannot be looked into."""
    try:
        return stat.S_ISREG((root / MARKER).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def mark(root: Path) -> None:
    """Give the folder the marker."""
    os.close(_open(root / MARKER))


@contextmanager
def held(root: Path, doing: str, unused: Callable[[], bool]) -> Iterator[None]:
    """Make the folder and hold it while the block runs. Afterwards, if it is `unused`, what was made is gone again.

    Raises PlumblineError if another process holds it, OSError if the folder cannot be made or marked.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    descriptor = _acquire(root)
    try:
        with contextlib.suppress(OSError):  # on a full disk the holder is nameless
            _write(descriptor, f"'{doing}' (pid {os.getpid()})")
        yield
    finally:
        with contextlib.suppress(OSError):
            if unused():
                (root / MARKER).unlink(missing_ok=True)
                for folder in missing:
                    folder.rmdir()
            _write(descriptor, "")
        os.close(descriptor)


def _acquire(root: Path) -> int:
    marker = root / MARKER
    while True:
        make_folder(root)
        try:
            descriptor = _open(marker)
        except FileNotFoundError:  # the holder before has deleted the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                raise _held_by_another(root, descriptor) from None
            finally:
                os.close(descriptor)
        # The holder before may have deleted the file between the opening and the locking.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(marker.lstat(), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)


def make_folder(root: Path) -> None:
    """Make the folder if it is missing, for its owner alone."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)


def _open(marker: Path) -> int:
    descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if os.fstat(descriptor).st_size == 0:
        with contextlib.suppress(OSError):  # a full disk
            _write(descriptor, "")
    return descriptor


def _write(descriptor: int, holder: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{_WORDS}{holder}".encode(), 0)


def _held_by_another(root: Path, descriptor: int) -> PlumblineError:
    """Return the refusal that names the holder, and what to do about it."""
    marker = root / MARKER
    process = _locker(descriptor)
    with contextlib.suppress(psutil.Error):
        if process is not None and process.uids().effective not in (os.geteuid(), root.stat().st_uid, 0):
            return PlumblineError(
                f"{process.username()} holds {marker} with {process.name()} (pid {process.pid}), "
                "which is no command of this stack's owner",
                hint=f"end that process as root (kill {process.pid}), then the same again",
            )
    said = os.pread(descriptor, 1000, 0).decode(errors="replace").removeprefix(_WORDS).strip()
    unnamed = f"another command (pid {process.pid})" if process else "another command"
    return PlumblineError(
        f"{said or unnamed} is working on {root} right now", hint="wait for it to end, then try again"
    )


def _locker(descriptor: int) -> psutil.Process | None:
    """Return the process that holds a lock on the open file, if the system tells (Linux does)."""
    inode = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        for line in _LOCKS.read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return psutil.Process(int(fields[4]))
    return None
