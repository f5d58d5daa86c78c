"""The commands `backup` and `restore`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumbline.backups import archive, backup, restore
from plumbline.backups.intervals import interval
from plumbline.backups.progress import size
from plumbline.backups.store import Store, entry
from plumbline.components import POSTGRES
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import TODAY
from plumbline.targets.base import Target
from plumbline.targets.choose import deployed

MANUAL, SCHEDULED = "manual", "scheduled"
KEEP = 14
FOLDER = backup.FOLDER
EXIT_OK, EXIT_USAGE = 0, 2
Command = Callable[[argparse.Namespace, Home], int]


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of the command line."""
    folder = argparse.ArgumentParser(add_help=False, parents=[common])
    folder.add_argument(
        "--directory", type=Path, metavar="DIR", help="folder of the archives (default: backups/ of the home)"
    )
    made = commands.add_parser(
        "backup", parents=[folder], help="write the whole database to an archive, while the stack serves"
    )
    made.add_argument(
        "action", nargs="?", choices=("list", "prune", "fetch"),
        help="show the archives, delete old ones, or copy the newest that the cluster made to this machine",
    )  # fmt: skip
    made.add_argument(
        "--verify", metavar="FILE", help="restore an archive (or `newest`) into a throwaway database and compare"
    )
    made.add_argument(
        "--every", type=interval, metavar="TIME", help="back up regularly: 30m, 6h, 1d; `never` ends that"
    )
    made.add_argument(
        "--keep", type=_count, metavar="N", help=f"prune, --every: keep so many of each kind (default: {KEEP})"
    )
    made.add_argument("--scheduled", action="store_true", help=argparse.SUPPRESS)
    back = commands.add_parser("restore", parents=[folder], help="replace the whole database by an archive")
    back.add_argument("file", metavar="FILE", help="the archive: a path, a name that `backup list` shows, or `newest`")
    back.add_argument(
        "--close-door", action="store_true", help="stop what serves before, and start it again afterwards"
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("keep at least one")
    return count


def _store(options: argparse.Namespace, home: Home) -> Store:
    return Store(options.directory.expanduser().absolute() if options.directory else home.root / backup.FOLDER)


def run_backup(options: argparse.Namespace, home: Home) -> int:
    """Make, list, prune or verify archives."""
    store = _store(options, home)
    if options.action == "list":
        _print_list(store)
    elif options.action == "prune":
        gone = store.prune(options.keep or KEEP, (MANUAL, SCHEDULED))
        print(
            "\n".join([f"Deleted {len(gone)} of the archives in {store.folder}.", *(f"  {one.name}" for one in gone)])
        )
    elif options.action == "fetch":
        _fetch(deployed(home), store)
    elif options.every:
        with home.lock("backup --every"):
            print(deployed(home).schedule_backups(options.every, options.keep or KEEP))
    elif options.verify:
        _verify(home, deployed(home), store.find(options.verify))
    else:
        _make(home, deployed(home), store, SCHEDULED if options.scheduled else MANUAL)
        if options.scheduled:
            store.prune(options.keep or KEEP, (SCHEDULED,))
    return EXIT_OK


def _require_this_release(target: Target) -> None:
    if target.lineup is not TODAY:
        raise PlumblineError(
            f"the stack is on the {target.lineup.release}, and Postgres is stopped; its snapshot is in the home",
            hint="./deploy-local.sh rollback --forward",
        )


def _make(home: Home, target: Target, store: Store, reason: str) -> None:
    _require_this_release(target)
    if target.component(POSTGRES.name).state != "running":
        raise PlumblineError("Postgres is not running, so there is nothing to back up", hint="./deploy-local.sh")
    made = backup.snapshot(target, target.stack(), reason, store.folder)
    contents = made.manifest.contents
    print(f"{made.path}")
    of_release = f"release {made.manifest.release}"
    print(f"  {size(made.dump_bytes)}, {contents.rows} rows in {len(contents.tables)} tables, {of_release}")
    if reason == SCHEDULED:
        _verify(home, target, made)
    else:
        one = made.path.name if store.folder == home.root / backup.FOLDER else made.path
        print(home.with_home_option(f"  prove it    ./deploy-local.sh backup --verify {shlex.quote(str(one))}"))


def _verify(home: Home, target: Target, kept: archive.Archive) -> None:
    backup.verify(target, kept)
    contents = kept.manifest.contents
    what = f"{contents.rows} rows in {len(contents.tables)} tables, all checksums are the archive's"
    print(home.fitted(f"Verified {kept.path}: {what}."))
    try:
        entry(kept.path).mark_verified()
    except (OSError, PlumblineError) as error:
        print(f"  (not noted beside it: {error})")


def _fetch(target: Target, store: Store) -> None:
    with store.writing(SCHEDULED) as (partial, place):
        there = target.fetch_backup(partial)
        archive.opened(partial).check()
        partial.rename(place)
    print(f"{place}\n  copied from {there} in the cluster, where it was verified")


def _print_list(store: Store) -> None:
    entries = store.entries()
    if not entries:
        print(f"There is no backup in {store.folder}.")
    for one in entries:
        try:
            kept = archive.opened(one.path)
            # The name holds the time at which it was made.
            verified = f"verified {one.verified_at:.10}" if one.verified_at else "not verified"
            print(f"{one.path.name}  {size(one.path.stat().st_size):>7}  {kept.manifest.release:<9}  {verified}")
        except PlumblineError as error:
            print(f"{one.path.name}  cannot be used: {error}")


def run_restore(options: argparse.Namespace, home: Home) -> int:
    """Replace the whole database by an archive."""
    target = deployed(home)
    _require_this_release(target)
    kept = _store(options, home).find(options.file)
    with home.lock("restore"):
        restore.restore(home, target, kept, close_door=options.close_door)
    return EXIT_OK


COMMANDS: dict[str, Command] = {"backup": run_backup, "restore": run_restore}
