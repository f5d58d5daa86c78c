"""Commands that checks run on the stack as an operator does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import NotGivenError
from plumbline.stack import Stack

_COMMAND_S = 300


class _State:
    """The checkout whose commands are run."""

    checkout = ROOT


def use(checkout: Path) -> None:
    """Run the commands of another checkout than the checks' own."""
    _State.checkout = checkout


def home_of(stack: Stack) -> str:
    """Return the stack's home. Raises NotGivenError."""
    if not stack.home:
        raise NotGivenError("needs the home of the stack, to run commands on it")
    return stack.home


def run(*arguments: str, module: str = "plumbline") -> subprocess.CompletedProcess[str]:
    """Run a module with these arguments."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=_State.checkout, capture_output=True, text=True, timeout=_COMMAND_S, check=False
    )  # fmt: skip


def output(*arguments: str, module: str = "plumbline") -> str:
    """Run a module with these arguments and return what it prints; fail if it ends with an error."""
    done = run(*arguments, module=module)
    said = f"{done.stdout}{done.stderr}".strip()
    assert done.returncode == 0, f"{module} {' '.join(arguments)} ended with {done.returncode}: {said}"
    return done.stdout
