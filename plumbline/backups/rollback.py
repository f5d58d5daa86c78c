"""Goes back to the release before the last upgrade: reverses its migrations, or restores the snapshot before it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress

from plumbline import deploy
from plumbline.backups import archive, backup, revisions, streams, upgrade
from plumbline.backups.archive import Archive, Contents
from plumbline.backups.restore import CLIENTS
from plumbline.components import MIGRATING, POSTGRES
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target

BEFORE = "before-a-rollback"


def rollback(home: Home, target: Target, *, from_snapshot: bool, confirmed: bool) -> bool:
    """Bring the database back to the release before; return False if the user did not want what would be lost.

    The services stay stopped, because those of this release do not fit the schema. Raises PlumblineError; then the
    stack is deployed as it was.
    """
    if target.component(POSTGRES.name).state != "running":
        raise PlumblineError("Postgres is not running, so nothing can be rolled back", hint="./deploy-local.sh")
    before = _snapshot_before(target)
    now = streams.contents(target.postgres_script(streams.CONTENTS))
    then = before.manifest.contents
    lost = list(since(now, then) if from_snapshot else _no_longer_known(target, now, then))
    print(f"Back to release {before.manifest.release} ({_named(then)}), from {_named(now)}.")
    print("This will be lost:" if lost else "No data will be lost.")
    for line in lost:
        print(f"  {line}")
    if lost and not confirmed and not _agrees(home):
        print("Nothing was changed.")
        return False
    running = [name for name in CLIENTS if target.component(name).state != "stopped"]
    try:
        target.stop(*running)
        kept = backup.snapshot(target, target.stack(), BEFORE)
        print(f"Everything as it is now is kept in {kept.path}", flush=True)
        if from_snapshot:
            backup.restored(target, before)
        else:
            _reverse(target, now, then)
    except BaseException:
        with suppress(PlumblineError):
            deploy.up(home, target, "after a rollback that failed")
        raise
    commit = before.manifest.commit
    print("The database is that of the release before, and the services are stopped. Start that release now:")
    print(f"  git checkout {commit or 'EARLIER_RELEASE'}")
    print(home.with_home_option("  ./deploy-local.sh"))
    return True


def _snapshot_before(target: Target) -> Archive:
    """Return the snapshot before the upgrade to the schema that the database has now. Raises PlumblineError."""
    newest = backup.store_of(target.stack()).newest(upgrade.BEFORE)
    now = upgrade.deployed(target)
    if newest is not None:
        kept = archive.opened(newest.path)
        then = kept.manifest.contents.revisions
        if then != now and all(then.get(name, "") <= now[name] for name in now) and not revisions.newer(now):
            return kept
    raise PlumblineError(
        "no upgrade of this stack has changed its schema, so there is nothing to roll back",
        hint="check out the earlier release and run ./deploy-local.sh: it fits the same schema",
    )


def _named(contents: Contents) -> str:
    return ", ".join(f"{chain} at {revision}" for chain, revision in sorted(contents.revisions.items()))


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
