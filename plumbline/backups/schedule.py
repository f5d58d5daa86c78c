"""Regular backups by a timer of systemd, on the machine with the home. They are verified, and old ones are deleted."""

from __future__ import annotations

import re
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.home import Home, write_privately
from plumbline.service import systemd, unit

NEVER = "never"
_INTERVAL = re.compile(r"([1-9]\d{0,3})(m|h|d)")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_SHORTEST_MIN = 10


def interval(text: str) -> str:
    """Return an interval such as 6h, or `never`. Raises ValueError for others, and for less than ten minutes."""
    found = _INTERVAL.fullmatch(text)
    if text != NEVER and (found is None or int(found[1]) * _MINUTES[found[2]] < _SHORTEST_MIN):
        raise ValueError(text)
    return text


def install(home: Home, every: str, keep: int) -> None:
    """Make backups from now on, or remove the timer if `every` is `never`. Raises PlumblineError."""
    missing = systemd.absence()
    if missing:
        raise PlumblineError(
            f"{missing}, so there is no timer for backups",
            hint=f"run this regularly (cron): ./deploy-local.sh backup --scheduled --keep {keep}",
        )
    service, timer = names(home.root)
    folder = systemd.folder()
    if every == NEVER:
        if (folder / timer).exists():
            systemd.call("disable", "--now", timer)
        for name in (service, timer):
            (folder / name).unlink(missing_ok=True)
        systemd.call("daemon-reload")
        print(f"No backups of {home.root} are made regularly. The archives are kept.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((service, timer), texts(home.root, every, keep), strict=True):
        write_privately(folder / name, text)
    systemd.call("daemon-reload")
    systemd.call("enable", timer)
    systemd.call("restart", timer)
    print(f"{folder / timer} makes and verifies a backup every {every}, and keeps {keep} of them.")
    advice = systemd.let_user_linger()
    if advice:
        print(f"next: {advice}")


def names(home: Path) -> tuple[str, str]:
    """Return the names of the service and the timer, which differ for each home."""
    stem = Path(unit.name(home)).stem
    return f"{stem}-backup.service", f"{stem}-backup.timer"


def texts(home: Path, every: str, keep: int) -> tuple[str, str]:
    """Return the unit files. Intervals are counted without the clock, which may jump."""
    words = (*unit.PROGRAM, "backup", "--scheduled", "--keep", str(keep), "--home", str(home))
    command = " ".join(map(unit.quoted, words))
    head = "# Written by Plumbline: ./deploy-local.sh backup --every never deletes it.\n[Unit]\n"
    service = f"""\
{head}Description=Backup of Plumbline in {unit.escaped(str(home))}

[Service]
Type=oneshot
Nice=10
Environment={unit.path()}
ExecStart={command}
"""
    timer = f"""\
{head}Description=Regular backups of Plumbline in {unit.escaped(str(home))}

[Timer]
OnActiveSec=1min
OnUnitActiveSec={every}

[Install]
WantedBy=timers.target
"""
    return service, timer
