"""The systemd unit of a stack."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path

from plumbline import ROOT

PROGRAM = (sys.executable, "-I", str(ROOT / "plumbline" / "__main__.py"))
"""The command line of Plumbline, with the same Python."""


def name(home: Path) -> str:
    """Return the unit's name, which differs for each home."""
    return f"plumbline-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}.service"


def text(home: Path, *, is_user: bool) -> str:
    """Return the unit file. It runs the same commands as a person, with the same Python."""
    # A user's manager does not know the units of the system.
    after = "" if is_user else "Wants=network-online.target\nAfter=network-online.target docker.service\n"
    return f"""\
# Written by Plumbline: ./deploy-local.sh service remove deletes it.
[Unit]
Description=Plumbline in {escaped(str(home))}
{after}
[Service]
Type=oneshot
RemainAfterExit=yes
{environment()}
{runs("ExecStart", home, "up")}
{runs("ExecStop", home, "down")}
TimeoutStartSec=900
TimeoutStopSec=180

[Install]
WantedBy={"default.target" if is_user else "multi-user.target"}
"""


def by_hand(home: Path) -> str:
    """Return the command that starts the stack, for machines without systemd."""
    return shlex.join([*PROGRAM, "up", "--home", str(home)])


def runs(setting: str, home: Path, *command: str) -> str:
    """Return the line of a unit that runs a command for a home, with the same Python."""
    return f"{setting}={' '.join(map(quoted, (*PROGRAM, *command, '--home', str(home))))}"


def environment() -> str:
    """Return the line of a unit that sets PATH: systemd's own may lack the programs that `up` found for this user."""
    path = os.environ.get("PATH", os.defpath)
    return f"Environment={quoted(f'PATH={path}')}"


def escaped(text: str) -> str:
    """Return a text without specifiers of systemd."""
    return text.replace("%", "%%")


def quoted(text: str) -> str:
    """Return a word of a command line in a unit file."""
    inner = escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{inner}"'
