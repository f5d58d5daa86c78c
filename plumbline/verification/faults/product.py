"""The stack that faults are put into: deployed from a checkout of its own, so that a patch changes no check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from plumbline import ROOT, identity
from plumbline.components import COMPONENTS, HEALTH_PATHS
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.embedded import accounts, postgres
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.verification.checks.created import FOLDER
from plumbline.verification.faults.fault import FRESH, UP, CatalogueError, Fault

_LEFT_OUT = {"site", "test-artifacts"}
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".env", ".hypothesis")
_COMMAND_S = 600
_ASKED_BY_ALL = {"postgres", "redis"}
_RECONNECTED_S = 60.0
"""How long services may take to notice that what they ask is back. The checks say what is wrong then."""
_ANSWERS = 10
# Each fault registers new users, all from one address.
_SETTINGS = "PLUMBLINE_REGISTRATIONS_PER_ADDRESS=1000000\n"


class DoesNotStartError(Exception):
    """The stack, or a part of it, did not start: which is how some faults must be seen. `check` says which it was."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


class Product:
    """A checkout and the stack that runs from it. Without `with_stack`, only files are changed, and nothing runs."""

    def __init__(self, *, with_stack: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="plumbline-faults-"))
        self.checkout = self._folder / "checkout"
        self.home = self._folder / "home"
        self._with_stack = with_stack
        self._fault: Fault | None = None
        self._copy()

    def _copy(self) -> None:
        self.checkout.mkdir()
        for source in ROOT.iterdir():
            if source.name.startswith(".") or source.name in _LEFT_OUT:
                continue
            if source.is_dir():
                shutil.copytree(source, self.checkout / source.name, ignore=_NOT_COPIED)
            else:
                shutil.copy2(source, self.checkout / source.name)

    def deploy(self) -> None:
        """Bring the stack up from this checkout. Raises DoesNotStartError."""
        home = Home(self.home)
        if not home.exists:
            home.prepare()
            home.settings.write_text(_SETTINGS)
        done = self.command("plumbline", "up", "--target", "embedded", "--home", str(self.home), "--port", "0")
        if done.returncode != 0:
            raise DoesNotStartError(UP, done.stdout)

    def command(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module of this checkout."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=self.checkout, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=_COMMAND_S,
        )  # fmt: skip

    def remove(self) -> None:
        """Stop the stack and delete everything."""
        if Home(self.home).exists:
            EmbeddedTarget(Home(self.home)).remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def change_to(self, fault: Fault | None) -> None:
        """Take the last fault out and put `fault` in. Raises DoesNotStartError, and CatalogueError."""
        parts: set[str] = set()
        last, self._fault = self._fault, fault
        if last is not None:
            parts.update(last.how.restarts)
            self._revert(last)
            self._forget()
            if self._with_stack and parts & {FRESH, UP}:
                # A deployment would put right what the next fault changes in the home or in the database.
                self._restart(parts)
                parts = set()
        if fault is not None:
            parts.update(fault.how.restarts)
            self._apply(fault)
        if self._with_stack:
            self._restart(parts)

    def _forget(self) -> None:
        """Empty the logs, and the lists of what checks could not delete: the checks of the next fault read both."""
        for name in COMPONENTS:
            log = self.home / "logs" / f"{name}.log"
            if log.exists():
                os.truncate(log, 0)
        for path in FOLDER.glob("*.jsonl"):
            if str(self.home) in path.read_text().partition("\n")[0]:
                path.unlink()

    def _apply(self, fault: Fault) -> None:
        try:
            fault.how.apply(self)
        except (OSError, psycopg.Error) as error:
            raise CatalogueError(f"{fault.name} cannot be made: {error}") from None

    def _revert(self, fault: Fault) -> None:
        try:
            fault.how.revert(self)
        except (OSError, psycopg.Error) as error:
            # Such as a constraint that what the fault let in now breaks: a new stack has no such rows.
            print(
                f"{fault.name} could not be taken back ({str(error).strip()}): the stack is created again", flush=True
            )
            self._fault, kept = None, self._fault
            self._restart({FRESH})
            self._fault = kept

    def _restart(self, parts: set[str]) -> None:
        target = EmbeddedTarget(Home(self.home))
        if FRESH in parts:
            target.remove()
            self.deploy()
            return
        if UP in parts:
            self.deploy()
            return
        names = [name for name in COMPONENTS if name in parts]
        if not names:
            return
        target.stop(*reversed(names))
        try:
            target.start(*names)
        except PlumblineError as error:
            raise DoesNotStartError("start", str(error)) from None
        if parts & _ASKED_BY_ALL:
            self._wait_until_reconnected()

    def _wait_until_reconnected(self) -> None:
        """Wait until every server process has noticed: which of them answers is chance, so several answers count.

        Each is asked over a new connection: the front door keeps its own, all of which may lead to one process.
        """
        ports = Home(self.home).load().ports
        urls = [f"http://127.0.0.1:{ports[name]}{path}" for name, path in HEALTH_PATHS.items()]
        deadline = time.monotonic() + _RECONNECTED_S
        healthy = 0
        while healthy < _ANSWERS and time.monotonic() < deadline:
            healthy = 0 if any(identity.health_of(url).reason for url in urls) else healthy + 1
            time.sleep(0.1)

    def execute(self, statement: str) -> None:
        """Execute SQL as the application's role."""
        parameters = EmbeddedTarget(Home(self.home)).stack().postgres.parameters()
        with psycopg.connect(**parameters, autocommit=True, options="-c lock_timeout=20s") as connection:
            connection.execute(statement)

    @property
    def _cluster(self) -> postgres.Cluster:
        account = accounts.for_postgres()
        binaries, data = postgres.place(self.home, account, self.home / "data" / "postgres")
        return postgres.Cluster(binaries, data, account, 0)

    @property
    def cluster(self) -> Path:
        """The data directory of Postgres."""
        return self._cluster.data

    def administer(self, statement: str) -> None:
        """Execute SQL as the superuser, in single-user mode."""
        EmbeddedTarget(Home(self.home)).stop("postgres")
        self._cluster.administer(statement)
