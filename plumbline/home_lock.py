"""The lock of a home, so that only one command at a time changes it. The locked file is also the home's marker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from plumbline.errors import PlumblineError
from plumbline.home_files import MARKER

_TEXT = "The home of a Plumbline stack: ./deploy-local.sh reset deletes it.\n"
_LOCKS = Path("/proc/locks")


def has_marker(root: Path) -> bool:
    """Return whether the folder has the marker. Raises OSError if it cannot be read."""
    try:
        return stat.S_ISREG((root / MARKER).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def mark(root: Path) -> None:
    """Create the marker."""
    os.close(_open(root / MARKER))


@contextmanager
def hold(root: Path, command: str, unused: Callable[[], bool]) -> Iterator[None]:
    """Create the folder and lock it while the block runs. If it is `unused` afterwards, delete what was created.

    Raises PlumblineError if another process has the lock, OSError if the folder or marker cannot be created.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    descriptor = _acquire(root)
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock then has no name
            _write(descriptor, f"'{command}' (pid {os.getpid()})")
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
        except FileNotFoundError:  # the previous holder has deleted the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                raise _locked_error(root, descriptor) from None
            finally:
                os.close(descriptor)
        # The previous holder may have deleted the file between open and flock.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(marker.lstat(), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)


def holder(root: Path) -> str | None:
    """Return the command that holds the lock, with its process; None if none does."""
    try:
        descriptor = os.open(root / MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _named(descriptor) if _lock_holder(descriptor) else None
    finally:
        os.close(descriptor)


def _named(descriptor: int) -> str:
    process = _lock_holder(descriptor)
    said = os.pread(descriptor, 1000, 0).decode(errors="replace").removeprefix(_TEXT).strip()
    return said or (f"another command (pid {process.pid})" if process else "another command")


def make_folder(root: Path) -> None:
    """Create the folder if it is missing, accessible to its owner only."""
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
    os.pwrite(descriptor, f"{_TEXT}{holder}".encode(), 0)


def _locked_error(root: Path, descriptor: int) -> PlumblineError:
    """Return the error that names the holder of the lock."""
    marker = root / MARKER
    process = _lock_holder(descriptor)
    with contextlib.suppress(psutil.Error):
        if process is not None and process.uids().effective not in (os.geteuid(), root.stat().st_uid, 0):
            return PlumblineError(
                f"{process.username()} has locked {marker} with {process.name()} (pid {process.pid}), "
                "which is not a command of this stack's owner",
                hint=f"stop that process as root (kill {process.pid}), then run the same command again",
            )
    return PlumblineError(
        f"{_named(descriptor)} is working on {root} right now", hint="wait for it to end, then try again"
    )


def _lock_holder(descriptor: int) -> psutil.Process | None:
    """Return the process that has locked the open file, if the system shows it (Linux does)."""
    inode = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        for line in _LOCKS.read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return psutil.Process(int(fields[4]))
    return None
