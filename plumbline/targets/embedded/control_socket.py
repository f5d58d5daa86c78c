"""The socket of supervisord: in the home, or in a folder with a random name if the home's path is too long."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from plumbline.home import Home

_PATH_MAX = 90
"""The kernel limits a socket's path to about 100 bytes, and supervisord appends to it while it opens one."""
_FOLDER_MAX = 50
_NAME = "supervisor.sock"


def find(home: Home) -> Path:
    """Return the path of the socket, which may not exist yet."""
    with contextlib.suppress(OSError):
        folder = _link(home).readlink()
        if _is_ours(folder):
            return folder / _NAME
    return home.run / _NAME


def make(home: Home) -> Path:
    """Return a path where a socket can be opened, in a folder that other users cannot enter and did not create."""
    if len(str(home.run / _NAME)) <= _PATH_MAX:
        return home.run / _NAME
    link = _link(home)
    if not link.is_symlink() or not _is_ours(link.readlink()):
        link.unlink(missing_ok=True)
        deep = len(tempfile.gettempdir()) > _FOLDER_MAX  # TMPDIR may be, too
        link.symlink_to(tempfile.mkdtemp(prefix="plumbline-", dir="/tmp" if deep else None))  # noqa: S108  a random name
    return find(home)


def remove(home: Home) -> None:
    """Delete the folder outside of the home, if any."""
    link = _link(home)
    if link.is_symlink() and _is_ours(link.readlink()):
        folder = link.readlink()
        for left in folder.glob(f"{_NAME}*"):  # left by a killed supervisord
            left.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()
        link.unlink()


def _link(home: Home) -> Path:
    return home.run / "socket-folder"


def _is_ours(folder: Path) -> bool:
    """Return whether only this user can use the folder. Another user may have created it after /tmp was cleared."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
