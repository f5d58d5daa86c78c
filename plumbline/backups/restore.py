"""Replaces a stack's database by an archive, and keeps what it replaces in another."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from plumbline import deploy
from plumbline.backups import backup, revisions
from plumbline.backups.archive import Archive
from plumbline.backups.progress import size
from plumbline.components import BACKEND, CADDY, DATA_PROCESSOR, POSTGRES, WORKER
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target

CLIENTS = (CADDY.name, BACKEND.name, DATA_PROCESSOR.name, WORKER.name)
"""What is stopped while the database is replaced: the front door first, so that clients get one clear answer."""
BEFORE = "before-a-restore"


def restore(home: Home, target: Target, kept: Archive, *, close_door: bool) -> Path | None:
    """Restore an archive and start the stack again; return the archive of what was replaced, None if that was nothing.

    Raises PlumblineError; then the database is as before, and what ran runs again.
    """
    refuse_newer(kept)
    kept.check()
    running = [name for name in CLIENTS if target.component(name).state != "stopped"]
    if running and not close_door:
        raise PlumblineError(
            f"the stack serves ({', '.join(running)}), and a restore replaces its whole database",
            hint="./deploy-local.sh restore FILE --close-door stops these, restores, and starts them again",
        )
    if target.component(POSTGRES.name).state != "running":
        raise PlumblineError("Postgres is not running, so nothing can be restored", hint="./deploy-local.sh")
    try:
        if running:
            print(f"Closing the door: {', '.join(running)} stop.", flush=True)
            target.stop(*running)
        replaced = backup.snapshot(target, target.stack(), BEFORE)
        print(f"Kept what is replaced: {replaced.path} ({size(replaced.dump_bytes)})", flush=True)
        backup.restored(target, kept)
    except BaseException:
        with suppress(PlumblineError):
            target.start(*reversed(running))
        raise
    contents = kept.manifest.contents
    print(
        f"Restored and proven: {contents.rows} rows in {len(contents.tables)} tables, all checksums are the archive's."
    )
    # Migrations of a newer release than the archive's, and everything that was stopped.
    deploy.up(home, target, "after a restore")
    return replaced.path


def refuse_newer(kept: Archive) -> None:
    """Raise PlumblineError if an archive has migrations that this release does not have."""
    newer = revisions.newer(kept.manifest.contents.revisions)
    if newer:
        named = " and ".join(f"{chain} at {revision}" for chain, revision in newer.items())
        raise PlumblineError(
            f"{kept.path} has a newer schema than this release: {named}",
            hint=f"use release {kept.manifest.release} {kept.manifest.commit}, or an older archive",
        )
