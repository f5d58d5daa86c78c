"""Makes a folder of one process, for files that its workers use. It is deleted, also if the process was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMP_MAX = 65
"""Longest path of the temporary folder: the path of a socket in it is limited to about a hundred bytes."""


@contextmanager
def own_folder(purpose: str) -> Iterator[Path]:
    """Yield a new folder that only this user can enter. Deletes the folders of processes that were killed."""
    temp = Path(tempfile.gettempdir())
    if len(os.fsencode(temp)) > _TEMP_MAX:
        temp = Path("/tmp")  # noqa: S108  the folder has a random name and is new
    prefix = f"plumbline-{purpose}-"
    for folder in temp.glob(f"{prefix}*"):
        if _is_left(folder, folder.name.removeprefix(prefix).partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", dir=temp) as made:
        yield Path(made)


def _is_left(folder: Path, pid: str) -> bool:
    """Return whether a folder belongs to this user and its process has ended."""
    try:
        if not pid.isdecimal() or folder.lstat().st_uid != os.geteuid():
            return False
        if int(pid) == os.getpid():  # in a container, each start may have the same pid
            return True
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False
