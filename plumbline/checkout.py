"""What git knows of this checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError

_MOST_S = 600
"""For a commit, whose hooks may check the code."""


class Checkout:
    """A folder that git may know."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints. Raises PlumblineError."""
        command = ["git", "-C", str(self.root), *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=_MOST_S
            )
        except FileNotFoundError:
            raise PlumblineError("git is not installed", hint="Debian: apt-get install git") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PlumblineError(f"git did not run in {self.root}: {error}") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise PlumblineError(f"`git {' '.join(arguments)}` failed in {self.root}: {said}")
        return done.stdout.rstrip()

    def head(self) -> str:
        """Return the commit that is checked out. Raises PlumblineError."""
        return self.git("rev-parse", "--verify", "HEAD")

    def branch(self) -> str:
        """Return the branch that is checked out, "" if none is. Raises PlumblineError."""
        return self.git("branch", "--show-current")

    def changes(self) -> str:
        """Return what is not committed, a line for each file. Raises PlumblineError."""
        return self.git("status", "--porcelain")


def commit() -> str:
    """Return the commit that is checked out, "" if this is not a git checkout or git is not installed."""
    try:
        return Checkout().head()
    except PlumblineError:
        return ""
