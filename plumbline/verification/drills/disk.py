"""A file system of limited size for a stack, and the drill that fills it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline.errors import NotGivenError, PlumblineError
from plumbline.verification.drills.acts import OUTAGE_S
from plumbline.verification.drills.stage import Stage

_SIZE = "1200m"
"""More than preflight asks for."""
_CHUNK = 1 << 20


@contextmanager
def small() -> Iterator[Path]:
    """Yield a folder on a file system of its own. Raises NotGivenError without root."""
    if os.geteuid() != 0:
        raise NotGivenError("needs root, to mount a file system of limited size")
    with tempfile.TemporaryDirectory(prefix="plumbline-small-") as folder:
        options = f"size={_SIZE},mode=1777"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "plumbline-drill", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise NotGivenError(f"needs to mount a file system: {done.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(stage: Stage) -> None:
    """Leave no byte free for a while."""
    assert stage.disk is not None  # noqa: S101  the drill asks for it
    filler = stage.disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            size = _CHUNK
            while size:
                try:
                    written = file.write(bytes(size))
                except OSError:
                    written = 0
                size = size if written == size else size // 2
        if os.statvfs(filler).f_bavail:
            raise PlumblineError("the disk could not be filled")
        time.sleep(OUTAGE_S)
    finally:
        filler.unlink(missing_ok=True)
