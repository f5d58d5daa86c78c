"""systemd of this machine: of root for the system, else of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from plumbline.errors import PlumblineError

_BOOTED = Path("/run/systemd/system")
_TIMEOUT_S = 900


def is_user() -> bool:
    """Return whether the units are those of a user, not of the system."""
    return os.geteuid() != 0


def absence() -> str | None:
    """Return why there is no systemd to use; None if there is one."""
    if shutil.which("systemctl") is None or not _BOOTED.is_dir():
        return "this machine was not started by systemd"
    if is_user() and not os.environ.get("XDG_RUNTIME_DIR"):
        return "systemd has no session of this user here (XDG_RUNTIME_DIR is not set): log in as that user, not with su"
    return None


def folder() -> Path:
    """Return the folder of unit files."""
    if not is_user():
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def call(*arguments: str) -> str:
    """Run systemctl and return its output. Raises PlumblineError."""
    return _run("systemctl", *(["--user"] if is_user() else []), *arguments)


def let_user_linger() -> str | None:
    """Let the user's units start with the machine, not with a login; return what to do if that is not allowed."""
    if not is_user():
        return None
    try:
        _run("loginctl", "enable-linger")
    except PlumblineError:
        return "it starts when you log in. To start it with the machine: sudo loginctl enable-linger $USER"
    return None


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlumblineError(f"{command[0]} cannot be used: {error}") from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise PlumblineError(f"{' '.join(command)} failed: {said}", hint="journalctl -xe says more")
    return done.stdout
