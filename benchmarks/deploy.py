"""What a deployment of the embedded target takes, and the smoke suite against it: seconds, each measured once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Column, Report
from plumbline import ROOT
from plumbline.errors import PlumblineError

_COLUMNS = (Column("what", -55), Column("seconds", 8), Column("wanted", 9))
_EXPLANATION = """\
Each is one command, its start included. In a fresh clone the first `up` also makes .venv and installs the locked
packages, which 60 s have to hold, too; that is not measured here.
"""


def run(report: Report) -> None:
    """Deploy into a new home, go through its life, and print the times. Raises PlumblineError where a command fails."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    # Postgres may have to run under another account, which has to get through here.
    folder.chmod(0o755)
    home = folder / "home"
    steps: tuple[tuple[str, int | None, Callable[[], None]], ...] = (
        (
            "up: nothing there, packages installed",
            60,
            lambda: _plumbline("up", home, "--port", "0", "--target", "embedded"),
        ),
        ("up: everything runs", 2, lambda: _plumbline("up", home)),
        ("pytest tests/smoke, against the running stack", 10, lambda: _smoke(home)),
        ("down", None, lambda: _plumbline("down", home)),
        ("up: installed, nothing runs", 10, lambda: _plumbline("up", home)),
    )
    table = report.table("deployment", _COLUMNS)
    try:
        for what, wanted_s, step in steps:
            begun = time.monotonic()
            step()
            seconds = time.monotonic() - begun
            cells = {"what": what, "seconds": f"{seconds:.1f}", "wanted": f"<= {wanted_s}" if wanted_s else ""}
            table.row(cells, what=what, seconds=seconds, wanted_s=wanted_s)
    finally:
        _plumbline("reset", home, "--yes")
        shutil.rmtree(folder)
    report.say(_EXPLANATION)


def _plumbline(command: str, home: Path, *arguments: str) -> None:
    _run("-m", "plumbline", command, "--home", str(home), *arguments)


def _smoke(home: Path) -> None:
    _run("-m", "pytest", "tests/smoke", "--home", str(home), "-q")


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(
            f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
