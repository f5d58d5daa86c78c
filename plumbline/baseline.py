"""The way back to the release before Postgres, and forward again. Both can be repeated after an interruption."""

from __future__ import annotations

from pathlib import Path

from plumbline import deploy
from plumbline.backups import archive, backup
from plumbline.components import CADDY, POSTGRES
from plumbline.deploy import PreflightError
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import ON_BASELINE, TODAY
from plumbline.targets.base import Target

_DIFFERENCES = """\
On the baseline, users find none of the data of this release. They register again, and post to an empty chat.
The data of this release comes back with ./deploy-local.sh rollback --forward
Documents, annotations and templates of the baseline are in its memory, and are lost whenever it restarts."""
_NOT_TAKEN_ALONG = """\
What was written on the baseline is not taken along. Its chat is kept for the next time, its documents are lost."""
_WITHOUT = (
    "mend that, or go back without a snapshot, which leaves the data as it is: "
    "./deploy-local.sh rollback --to baseline --without-snapshot"
)
_WRITERS = tuple(one.name for one in TODAY.table if POSTGRES.port.name in one.calls)


def to_baseline(home: Home, target: Target, *, snapshot: bool = True, drop_data: bool = False) -> None:
    """Stop this release, take a snapshot, and bring up the baseline on the same front door. Raises PlumblineError.

    With `drop_data`, the data of Postgres are deleted when the baseline serves, and `forward` restores the snapshot.
    """
    if target.lineup is not ON_BASELINE:
        _require_no_problems(target)
        print(home.with_home_option(_DIFFERENCES))
        target.switch(ON_BASELINE.release, str(_snapshot(target)) if snapshot else "")
    deploy.up(home, target, "rolled back to the baseline")
    if drop_data:
        _drop(home, target)


def forward(home: Home, target: Target) -> None:
    """Stop the baseline, and bring up this release with its data. Raises PlumblineError."""
    if target.lineup is TODAY:
        raise PlumblineError("this stack is not on the baseline", hint="./deploy-local.sh status")
    _require_no_problems(target)
    restore = home.load().restore
    if restore:  # an archive that is gone or broken is found before anything is stopped
        archive.opened(Path(restore)).check()
    print(_NOT_TAKEN_ALONG)
    target.switch(TODAY.release)
    deploy.up(home, target, "forward from the baseline")


def _require_no_problems(target: Target) -> None:
    problems = target.problems()
    if problems:  # before anything is stopped
        raise PreflightError(problems)


def _snapshot(target: Target) -> Path:
    """Stop everything that writes, the front door first, and return an archive of the database."""
    running = [one.name for one in target.stack().components if one.state == "running"]
    for names in ((CADDY.name,), _WRITERS):
        if stopped := [name for name in names if name in running]:
            target.stop(*stopped)
    try:
        if POSTGRES.name not in running:
            _start_postgres(target)
        made = backup.snapshot(target, target.stack(), "before the baseline")
    except PlumblineError as error:
        raise PlumblineError(f"no snapshot could be taken: {error}", hint=_WITHOUT) from None
    contents = made.manifest.contents
    print(f"Snapshot: {made.path} ({contents.rows} rows in {len(contents.tables)} tables)", flush=True)
    return made.path


def _start_postgres(target: Target) -> None:
    target.begin()
    for step in TODAY.plan[1:]:
        target.run(step.name)
        if POSTGRES.name in step.components:
            return


def _drop(home: Home, target: Target) -> None:
    kept = home.load().snapshot
    if not kept:
        raise PlumblineError(
            "the data was not dropped: there is no snapshot that would bring it back",
            hint="./deploy-local.sh rollback --forward, then go back again with --drop-data",
        )
    archive.opened(Path(kept)).check()
    target.drop_database()
    print(f"The data of Postgres was deleted. {kept} brings it back: keep a copy in another place.")
