"""Goes back to the release before the last upgrade: reverses its migrations, or restores the snapshot before it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from plumbline import deploy
from plumbline.backups import archive, backup, revisions, streams, upgrade
from plumbline.backups.archive import Archive, Contents
from plumbline.backups.restore import CLIENTS
from plumbline.checkout import Checkout
from plumbline.components import MIGRATING, POSTGRES
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.releases import history
from plumbline.releases.history import Earlier, Way
from plumbline.targets.base import Target

BEFORE = "before-a-rollback"


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a rollback goes; `snapshot` is None if the schema stays as it is."""

    to: Earlier
    schema: dict[str, str]
    snapshot: Archive | None


def rollback(home: Home, target: Target, *, from_snapshot: bool, confirmed: bool) -> Way | None:
    """Bring the database back to the release before; return the way there, None if the user did not want the loss.

    If the schema changes, the services stay stopped, because those of this release do not fit it. Raises
    PlumblineError; then the stack is deployed as it was.
    """
    if target.component(POSTGRES.name).state != "running":
        raise PlumblineError("Postgres is not running, so nothing can be rolled back", hint="./deploy-local.sh")
    plan = _planned(home, target)
    way = Way.found(plan.to, plan.schema, home)
    if plan.snapshot is None:
        if from_snapshot:
            raise PlumblineError(
                "the last upgrade did not change the schema, so there is no snapshot",
                hint="./deploy-local.sh rollback",
            )
        print(f"Back to {plan.to}, which has the schema of the database: {revisions.named(plan.schema)}.")
        print(f"No data will be lost.\n{way.announced()}")
        return way
    now, then = streams.contents(target.postgres_script(streams.CONTENTS)), plan.snapshot.manifest.contents
    lost = list(since(now, then) if from_snapshot else _no_longer_known(target, now, then))
    print(f"Back to {plan.to}, {revisions.named(then.revisions)}; from {revisions.named(now.revisions)}.")
    print("This will be lost:" if lost else "No data will be lost.")
    for line in lost:
        print(f"  {line}")
    print(way.announced(), flush=True)
    if lost and not confirmed and not _agrees(home):
        print("Nothing was changed.")
        return None
    running = [name for name in CLIENTS if target.component(name).state != "stopped"]
    try:
        target.stop(*running)
        kept = backup.snapshot(target, target.stack(), BEFORE)
        print(f"Everything as it is now is kept in {kept.path}", flush=True)
        if from_snapshot:
            backup.restored(target, plan.snapshot)
        else:
            _reverse(target, now, then)
    except BaseException:
        with suppress(PlumblineError):
            deploy.up(home, target, "after a rollback that failed")
        raise
    print("The database is that of the release before, and the services are stopped.")
    return way


def _planned(home: Home, target: Target) -> _Plan:
    """Return where a rollback goes from here. Raises PlumblineError if nothing is known to go back to."""
    now, last = upgrade.deployed(target), history.last(home)
    newest = backup.store_of(target.stack()).newest(upgrade.BEFORE)
    if newest is not None:
        kept = archive.opened(newest.path)
        manifest, then = kept.manifest, kept.manifest.contents.revisions
        to = Earlier(manifest.release, manifest.commit) if manifest.commit else history.with_schema(then, Checkout())
        if then == now != revisions.newest():
            return _Plan(to, now, None)  # an earlier rollback was interrupted before the checkout
        older = then != now and all(then.get(name, "") <= now[name] for name in now) and not revisions.newer(now)
        # Otherwise the snapshot is from before an earlier upgrade than the last one.
        if older and (last is None or manifest.commit in (last.commit, home.load().deployed.get("commit"))):
            return _Plan(to, then, kept)
    if last is not None:
        return _Plan(last, now, None)
    raise PlumblineError(
        "no upgrade of this stack is known, so there is nothing to roll back",
        hint="check out the earlier release and run ./deploy-local.sh, if it has the same schema",
    )


def _no_longer_known(target: Target, now: Contents, then: Contents) -> Iterator[str]:
    """Yield what the release before has no table or column for, with the number of rows or values."""
    before = {one.name: set(one.columns) for one in then.tables}
    for table in now.tables:
        if table.name not in before:
            if table.rows:
                yield f"table {table.name}: {table.rows} rows"
            continue
        for column in table.columns:
            if column not in before[table.name] and (count := _values(target, table.name, column)):
                yield f"table {table.name}: {count} values of {column}"


def _values(target: Target, table: str, column: str) -> int:
    quoted = column.replace('"', '""')
    statement = f'SELECT count("{quoted}") FROM {table}'  # noqa: S608  names that Postgres itself printed
    command = target.postgres_command("psql", "--no-psqlrc", "--no-align", "--tuples-only", "--command", statement)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"the values of {table}.{column} cannot be counted: {done.stderr.strip()[-300:]}")
    return int(done.stdout)


def since(now: Contents, then: Contents) -> Iterator[str]:
    """Yield what differs from a snapshot, by table and number of rows: all of it was written since, or changed."""
    before = {one.name: one for one in then.tables}
    for table in now.tables:
        old = before.get(table.name)
        if old is None:
            if table.rows:
                yield f"table {table.name}: {table.rows} rows"
        elif (table.rows, table.checksum) != (old.rows, old.checksum):
            yield f"table {table.name}: what was written since the snapshot ({table.rows} rows now, {old.rows} then)"


def _agrees(home: Home) -> bool:
    try:
        answer = input(f"Type the folder's name ({home.root.name}) to continue: ")
    except EOFError:
        answer = ""
    return answer.strip() == home.root.name


def _reverse(target: Target, now: Contents, then: Contents) -> None:
    """Reverse migrations, the newest chain first: its tables refer to those of the others."""
    for name in reversed(MIGRATING):
        revision = then.revisions.get(name)
        if revision is None:
            raise PlumblineError(
                f"the snapshot has no revision of {name}", hint="./deploy-local.sh rollback --from-snapshot"
            )
        if now.revisions[name] == revision:
            continue
        try:
            target.migrate_back(name, revision)
        except PlumblineError as error:
            raise PlumblineError(
                f"the migrations of {name} cannot be reversed: {error}",
                hint="./deploy-local.sh rollback --from-snapshot restores the snapshot, and first says what that loses",
            ) from None
        print(f"{name} is back at {revision}", flush=True)
