"""How long a deployment takes, embedded and in containers, each measured once; and the memory of an embedded one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import memory
from benchmarks.report import Column, Report
from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.targets.compose import engine

_COLUMNS = (Column("what", -55), Column("seconds", 8), Column("wanted", 9))
_EMBEDDED = """\
Each is one command, its start included. In a fresh clone the first `up` also makes .venv and installs the locked
packages, which 60 s have to hold, too; that is not measured here.
"""
_COMPOSE = """\
Each is one command, its start included. What the first `up` takes depends on what the engine's build cache still
holds. The line is changed in a copy of the checkout.
"""
_COPIED = ("plumbline", "services", "docker", "requirements", ".dockerignore")
_EDITED = "services/backend/backend/__init__.py"

Step = tuple[str, int | None, Callable[[], None]]
"""The name of a step, the seconds it may take, if any, and the step itself."""


def run(report: Report) -> None:
    """Deploy into new homes and print the times. Raises PlumblineError if a command fails."""
    _embedded(report)
    missing = list(engine.problems())
    if missing:
        report.say(f"In containers: not measured, {'; '.join(missing)}")
    else:
        _compose(report)


def _embedded(report: Report) -> None:
    with _folder() as folder:
        stack = _Stack(ROOT, folder / "home")
        steps: tuple[Step, ...] = (
            ("up: nothing there, packages installed", 60, lambda: stack.up("--port", "0", "--target", "embedded")),
            ("up: everything runs", 2, stack.up),
            ("down", None, stack.down),
            ("up: installed, nothing runs", 10, stack.up),
        )
        with stack.removed_at_the_end():
            _measure(report, "deployment", steps)
            report.say(_EMBEDDED)
            memory.run(report, folder / "home")


def _compose(report: Report) -> None:
    with _folder() as folder:
        checkout = folder / "checkout"
        for name in _COPIED:
            place = ROOT / name
            copy = shutil.copytree if place.is_dir() else shutil.copy
            copy(place, checkout / name)
        stack = _Stack(checkout, folder / "home")

        def change() -> None:
            with (checkout / _EDITED).open("a") as file:
                file.write("# Changed.\n")
            stack.up()

        steps: tuple[Step, ...] = (
            ("up: nothing there, base images at hand", None, lambda: stack.up("--port", "0", "--target", "compose")),
            ("up: everything runs", 3, stack.up),
            ("up: one changed line of backend code", 15, change),
            ("down", None, stack.down),
            ("up: images built, nothing runs", 20, stack.up),
        )
        with stack.removed_at_the_end():
            _measure(report, "deployment in containers", steps)
    report.say(_COMPOSE)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    # Postgres may run under another account, which needs to reach what is inside.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class _Stack:
    """Runs the commands of one checkout on one home."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self._checkout = checkout
        self._home = ("--home", str(home))

    def up(self, *arguments: str) -> None:
        self._run("plumbline", "up", *self._home, *arguments)

    def down(self) -> None:
        self._run("plumbline", "down", *self._home)

    @contextmanager
    def removed_at_the_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._run("plumbline", "reset", "--yes", *self._home)

    def _run(self, module: str, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self._checkout, env={**os.environ, "PYTHONPATH": str(self._checkout)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise PlumblineError(
                f"{module} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-3000:]}"
                f"{done.stderr[-3000:]}"
            )


def _measure(report: Report, title: str, steps: tuple[Step, ...]) -> None:
    table = report.table(title, _COLUMNS)
    for what, wanted_s, step in steps:
        begun = time.monotonic()
        step()
        seconds = time.monotonic() - begun
        cells = {"what": what, "seconds": f"{seconds:.1f}", "wanted": f"<= {wanted_s}" if wanted_s else ""}
        table.row(cells, what=what, seconds=seconds, wanted_s=wanted_s)
