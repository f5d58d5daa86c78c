"""The interface of a target. Checks use it without knowing which target it is."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from plumbline.https.door import Https
from plumbline.inside import Inside, Process
from plumbline.plan import Lineup
from plumbline.stack import Component, Stack


class Target(Protocol):
    """Runs the steps of the plan, and stops and starts components by name."""

    name: str

    @property
    def lineup(self) -> Lineup:
        """What the stack consists of: this release, or the baseline."""

    def problems(self) -> list[str]:
        """Return all problems that prevent a deployment, each with its solution. Changes nothing."""

    def unchanged(self) -> bool:
        """Return whether exactly this stack, from exactly these files, is ready."""

    def from_this_checkout(self) -> bool:
        """Return whether the stack was deployed from the current files of this checkout."""

    def want_https(self, https: Https | None) -> None:
        """Set the HTTPS of the next deployment; None: HTTP."""

    def begin(self) -> None:
        """Store that a deployment has begun, and its identity."""

    def run(self, step: str) -> str:
        """Run one step of the plan and return its result in a few words. Raises StepError."""

    def down(self) -> list[str]:
        """Stop all components in reverse order and return the names of those that were running. Keeps data."""

    def remove(self) -> list[str]:
        """Stop the stack and delete its data, secrets, logs and state. Return descriptions of what was kept."""

    def switch(self, release: str, snapshot: str = "") -> None:
        """Stop what the line-up of `release` lacks, and store that the next deployment is of that release.

        `snapshot` is the archive of what was stopped, if there is one.
        """

    def drop_database(self) -> None:
        """Delete the data of Postgres, which is stopped. The next deployment with Postgres restores the snapshot."""

    def database_restored(self) -> None:
        """Store that the snapshot was restored."""

    def stack(self) -> Stack:
        """Return the current state of the stack."""

    def component(self, name: str) -> Component:
        """Return the state of one component."""

    def start(self, *components: str) -> None:
        """Start components and wait until each is ready. Raises StepError."""

    def stop(self, *components: str) -> None:
        """Stop components in order, and wait until each has ended."""

    def kill(self, component: str) -> None:
        """Kill a component's processes, as a crash would. Its supervisor may restart it."""

    def kill_process(self, process: Process) -> None:
        """Kill one process of `inside`. Its supervisor may start another."""

    def inside(self) -> Inside:
        """Return the components' processes and listeners. Raises NotGivenError if they cannot be read."""

    def migrate_back(self, name: str, revision: str) -> None:
        """Reverse the migrations of a component that are newer than `revision`. Raises StepError."""

    def postgres_command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line that runs pg_dump, pg_restore or psql on the stack's own database.

        It runs as the database's owner, with this process's standard streams. It holds no password, and sets no
        environment. Raises PlumblineError if Postgres is not part of the stack or cannot be reached.
        """

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a bash script beside Postgres; `$connection` is libpq's connection string.

        Otherwise as `postgres_command`.
        """

    def throwaway_postgres(self, script: str, *arguments: str) -> AbstractContextManager[list[str]]:
        """Yield the command line that runs a bash script with a new, empty Postgres of the stack's version.

        The stack's own Postgres is not touched; nothing is left at the end of the context.
        """

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of a component's program, beside the running one, and return how it ended."""

    def schedule_backups(self, every: str, keep: int) -> str:
        """Make a backup regularly, verify it and keep so many; `every` may be `never`. Return what was done."""

    def scheduled_backup(self) -> datetime | None:
        """Return when the newest backup was made and verified that is not in the home; None if there is none."""

    def fetch_backup(self, place: Path) -> str:
        """Copy the newest backup that is not in the home to a file; return its name there. Raises PlumblineError."""

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return the last lines of the log of a component or migration step."""

    def describe(self) -> dict[str, str]:
        """Return file name to text for a diagnostics bundle, without secrets."""
