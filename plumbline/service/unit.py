"""The systemd unit of a stack."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path

from plumbline import ROOT

_MAIN = ROOT / "plumbline" / "__main__.py"


def name(home: Path) -> str:
    """Return the unit's name, which differs for each home."""
    return f"plumbline-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}.service"


def text(home: Path, *, is_user: bool) -> str:
    """Return the unit file. It runs the same commands as a person, with the same Python."""
    command = " ".join(map(_quoted, (sys.executable, "-I", str(_MAIN))))
    # systemd's own PATH may lack the programs that `up` found for this user.
    path = _quoted(f"PATH={os.environ.get('PATH', os.defpath)}")
    # A user's manager does not know the units of the system.
    after = "" if is_user else "Wants=network-online.target\nAfter=network-online.target docker.service\n"
    return f"""\
# Written by Plumbline: ./deploy-local.sh service remove deletes it.
[Unit]
Description=Plumbline in {_escaped(str(home))}
{after}
[Service]
Type=oneshot
RemainAfterExit=yes
Environment={path}
ExecStart={command} up --home {_quoted(str(home))}
ExecStop={command} down --home {_quoted(str(home))}
TimeoutStartSec=900
TimeoutStopSec=180

[Install]
WantedBy={"default.target" if is_user else "multi-user.target"}
"""


def by_hand(home: Path) -> str:
    """Return the command that starts the stack, for machines without systemd."""
    return shlex.join([sys.executable, "-I", str(_MAIN), "up", "--home", str(home)])


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
