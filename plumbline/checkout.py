"""What git knows of this checkout."""

from __future__ import annotations

import subprocess

from plumbline import ROOT


def commit() -> str:
    """Return the commit that is checked out, "" if this is not a git checkout or git is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
