"""Takes archives of a stack's database, proves them in a throwaway one, and puts them back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from plumbline.backups import archive, streams
from plumbline.backups.archive import Archive, Manifest
from plumbline.backups.progress import Progress
from plumbline.backups.store import Store
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.targets.base import Target

FOLDER = "backups"
"""Name of the folder in the home."""


def store_of(stack: Stack, folder: Path | None = None) -> Store:
    """Return the archives of a stack: those in its home, or in another folder."""
    return Store(folder or Path(stack.home) / FOLDER)


def snapshot(target: Target, stack: Stack, reason: str, folder: Path | None = None) -> Archive:
    """Write an archive of the database as it is now, also while the stack serves. Raises PlumblineError.

    `reason` is a word or two, such as "before a restore"; it becomes part of the file's name.
    """
    store = store_of(stack, folder)
    ratio = _compression(store)
    deployed = Home(Path(stack.home)).load().deployed
    slug = reason.replace(" ", "-")
    with store.writing(slug) as (partial, place):
        with streams.dumping(target.postgres_script(streams.DUMP)) as (contents, dump):
            expected = int(contents.bytes * ratio) if ratio else None
            progress = Progress("backup", expected, about=True)
            manifest = Manifest(
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                reason=reason,
                release=deployed.get("version", "unknown"),
                commit=deployed.get("commit", ""),
                target=stack.target,
                stack_id=stack.stack_id,
                contents=contents,
            )
            with partial.open("xb") as file:
                partial.chmod(0o600)
                size = archive.write(file, manifest, _counted(dump, progress))
            progress.end()
        partial.rename(place)
        _sync(place.parent)
    return Archive(place, manifest, size)


def _counted(chunks: Iterator[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        progress(done)
        yield chunk


def _compression(store: Store) -> float | None:
    """Return the size of the last dump per byte of its tables, to estimate the next one."""
    with contextlib.suppress(PlumblineError):
        newest = store.newest()
        if newest is not None:
            last = archive.opened(newest.path)
            return last.dump_bytes / max(1, last.manifest.contents.bytes)
    return None


def _sync(folder: Path) -> None:
    """Make the new name of a file last, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restored(target: Target, kept: Archive) -> None:
    """Replace the contents of the database by those of an archive, proven to be the same, in one transaction.

    Nothing else may be connected. Raises PlumblineError; then nothing was replaced.
    """
    _restore("restore", target.postgres_script(streams.RESTORE, kept.manifest.contents.expected()), kept)


def verify(target: Target, kept: Archive) -> None:
    """Restore an archive into a throwaway database and compare row counts and checksums. Raises PlumblineError."""
    with target.throwaway_postgres(streams.RESTORE, kept.manifest.contents.expected()) as command:
        _restore("verify", command, kept)


def _restore(doing: str, command: list[str], kept: Archive) -> None:
    progress = Progress(doing, kept.dump_bytes)
    try:
        streams.restore(command, kept.dump(progress))
    finally:
        progress.end()
