"""The stack that drills disturb, and the command line that they use on it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.targets.choose import choose
from plumbline.targets.compose import engine
from plumbline.targets.compose.project import Project
from plumbline.targets.compose.target import ComposeTarget

# All clients come from one address.
_SETTINGS = "PLUMBLINE_REGISTRATIONS_PER_ADDRESS=1000000\nPLUMBLINE_LOGIN_ATTEMPTS_PER_ADDRESS=1000000\n"
_COMMAND_S = 600
_VOLUME = "postgres-data"
_STEP = re.compile(r"^ *\d+/\d+ (?P<name>\S+) +ok +(?P<seconds>[\d.]+) s")


class Stage:
    """A stack in a home of its own."""

    def __init__(self, home: Home, disk: Path | None = None) -> None:
        self.home = home
        self.disk = disk
        """A folder on the file system of limited size that holds the database, if there is one."""
        self.seconds: dict[str, float] = {}
        """How long each step of the first `up` took."""
        self.checkout = ROOT
        """Where commands are run."""

    @property
    def target(self) -> Target:
        """The target, with the state that the last command has left."""
        return choose("auto", self.home)[0]

    @property
    def stack(self) -> Stack:
        """The stack as it is now."""
        return self.target.stack()

    def run(self, *arguments: str) -> str:
        """Run a command on the stack and return its output. Raises PlumblineError if it fails."""
        with self._started(*arguments) as process:
            said, _ = process.communicate(timeout=_COMMAND_S)
        if process.returncode != 0:
            raise PlumblineError(f"plumbline {' '.join(arguments)} ended with {process.returncode}:\n{said[-3000:]}")
        return said

    def deploy(self, target: str) -> None:
        """Bring the stack up for the first time."""
        self.home.prepare()
        self.home.settings.write_text(_SETTINGS)
        said = self.run("up", "--target", target, "--port", "0")
        found = filter(None, map(_STEP.match, said.splitlines()))
        self.seconds = {step["name"]: float(step["seconds"]) for step in found}

    def interrupted_up(self, after: str, moment: Callable[[], None]) -> None:
        """Run `up`, and kill it with everything that it has started, when `moment` returns.

        `moment` is called once the step `after` is done, or at the beginning if that is empty.
        """
        with self._started("up") as process:
            assert process.stdout is not None  # noqa: S101  it is a pipe
            for line in process.stdout if after else ():
                found = _STEP.match(line)
                if found and found["name"] == after:
                    break
            moment()
            os.killpg(process.pid, signal.SIGKILL)

    @contextmanager
    def _started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "plumbline", *arguments, "--home", str(self.home.root)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def stage(target: str, disk: Path | None = None) -> Iterator[Stage]:
    """Yield a new stack, which is removed afterwards. `disk` holds its home, or in containers its database."""
    in_containers = target == ComposeTarget.name
    root = Path(tempfile.mkdtemp(prefix="plumbline-drills-", dir=None if in_containers else disk))
    root.chmod(0o755)  # Postgres may run under another account
    made = Stage(Home(root), disk)
    try:
        if disk is not None and in_containers:
            _make_volume(made.home, disk)
        made.deploy(target)
        yield made
    finally:
        if made.home.exists and made.home.load().target:
            made.target.remove()
        shutil.rmtree(root, ignore_errors=True)


def _make_volume(home: Home, folder: Path) -> None:
    """Let the volume of the database be a folder of this machine."""
    project = Project(home).name
    labels = {"project": project, "volume": _VOLUME}
    engine.output(
        "volume", "create", "--driver=local", "--opt=type=none", "--opt=o=bind", f"--opt=device={folder}",
        *(f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()), f"{project}_{_VOLUME}",
    )  # fmt: skip
