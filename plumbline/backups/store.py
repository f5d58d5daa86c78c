"""The folder with a stack's archives: their names and order, its lock, and which of them were verified."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plumbline.backups import archive
from plumbline.backups.archive import Archive
from plumbline.errors import PlumblineError
from plumbline.home import write_privately

SUFFIX = ".plumbline"
_NAME = re.compile(rf"(?P<number>\d+)-(?P<reason>[a-z-]+)-\d{{8}}T\d{{6}}Z{re.escape(SUFFIX)}")
_ELSEWHERE = "free some disk space, or choose another folder with --directory; the stack goes on running"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the store. Archives are ordered by their number, not by the clock, which may jump back."""

    path: Path
    number: int
    reason: str

    @property
    def verified_at(self) -> str | None:
        """When it was last restored into a throwaway database and found the same; None if never."""
        try:
            found = json.loads(self._mark.read_text())
            same = found["size"] == self.path.stat().st_size
            return str(found["verified_at"]) if same else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    @property
    def _mark(self) -> Path:
        return self.path.with_suffix(".verified")

    def mark_verified(self) -> None:
        """Remember that it was verified now. Raises OSError if the folder cannot be written."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_privately(self._mark, json.dumps({"verified_at": now, "size": self.path.stat().st_size}) + "\n")

    def delete(self) -> None:
        """Delete it. Raises OSError."""
        self._mark.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def entry(path: Path) -> Entry:
    """Return a file as an entry, also if its name is not one of a store."""
    found = _NAME.fullmatch(path.name)
    return Entry(path, int(found["number"]), found["reason"]) if found else Entry(path, 0, "")


class Store:
    """One folder of archives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[Entry]:
        """Return the archives, oldest first."""
        try:
            names = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PlumblineError(f"{self.folder} cannot be read: {error.strerror}") from None
        return sorted(map(entry, names), key=lambda one: one.number)

    def newest(self, reason: str | None = None) -> Entry | None:
        """Return the newest archive, or that of a reason."""
        return next((one for one in reversed(self.entries()) if reason in (None, one.reason)), None)

    def newest_verified(self) -> tuple[Entry, datetime] | None:
        """Return the newest archive that was verified, and when."""
        for one in reversed(self.entries()):
            if one.verified_at:
                return one, datetime.fromisoformat(one.verified_at)
        return None

    @contextlib.contextmanager
    def writing(self, reason: str) -> Iterator[tuple[Path, Path]]:
        """Lock the folder; yield a file to write to, and the name that it gets at the end. Deletes it on an error.

        Raises PlumblineError if another backup runs, or if the folder or the disk cannot take it.
        """
        with _explained(self.folder):
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "another process"
                raise PlumblineError(
                    f"another backup ({holder}) is being written to {self.folder} right now",
                    hint="wait for it to end, then try again",
                ) from None
            with contextlib.suppress(OSError):  # a full disk
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
            for left in self.folder.glob("*.partial"):
                left.unlink()  # of one that was killed
            number = max((one.number for one in self.entries()), default=0) + 1
            name = self.folder / f"{number:04}-{reason}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"
            partial = name.with_name(f"{name.name}.partial")
            try:
                with _explained(self.folder):
                    yield partial, name
            except BaseException:
                with contextlib.suppress(OSError):
                    partial.unlink(missing_ok=True)
                raise
        finally:
            os.close(descriptor)

    def prune(self, keep: int, reasons: tuple[str, ...]) -> list[Path]:
        """Delete all but the newest `keep` archives of each reason, never the newest verified one."""
        verified = self.newest_verified()
        safe = {verified[0].path} if verified else set()
        gone = []
        for reason in reasons:
            found = [one for one in self.entries() if one.reason == reason]
            for one in found[: max(0, len(found) - keep)]:
                if one.path not in safe:
                    with _explained(self.folder):
                        one.delete()
                    gone.append(one.path)
        return gone

    def find(self, text: str) -> Archive:
        """Return an archive by path, by its name in this folder, or `newest`. Raises PlumblineError."""
        path = Path(text)
        if text == "newest":
            newest = self.newest()
            if newest is None:
                raise PlumblineError(f"there is no backup in {self.folder}", hint="make one: ./deploy-local.sh backup")
            path = newest.path
        elif not path.exists() and (self.folder / text).exists():
            path = self.folder / text
        return archive.opened(path)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "its disk is full" if full else error.strerror
        raise PlumblineError(f"no backup can be written to {folder}: {reason}", hint=_ELSEWHERE) from None
