"""Regular backups by a timer of systemd, on the machine with the home. They are verified, and old ones are deleted."""

from __future__ import annotations

from pathlib import Path

from plumbline.backups.intervals import NEVER
from plumbline.errors import PlumblineError
from plumbline.home import Home, write_privately
from plumbline.service import systemd, unit


def install(home: Home, every: str, keep: int) -> str:
    """Make backups from now on, or remove the timer if it is `never`; return what was done. Raises PlumblineError."""
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
        return f"No backups of {home.root} are made regularly. The archives are kept."
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((service, timer), texts(home.root, every, keep), strict=True):
        write_privately(folder / name, text)
    systemd.call("daemon-reload")
    systemd.call("enable", timer)
    systemd.call("restart", timer)
    advice = systemd.let_user_linger()
    said = f"{folder / timer} makes and verifies a backup every {every}, and keeps {keep} of them."
    return f"{said}\nnext: {advice}" if advice else said


def installed(home: Home) -> bool:
    """Return whether the timer of a home is there."""
    return (systemd.folder() / names(home.root)[1]).exists()


def names(home: Path) -> tuple[str, str]:
    """Return the names of the service and the timer, which differ for each home."""
    stem = Path(unit.name(home)).stem
    return f"{stem}-backup.service", f"{stem}-backup.timer"


def texts(home: Path, every: str, keep: int) -> tuple[str, str]:
    """Return the unit files. Intervals are counted without the clock, which may jump."""
    head = "# Written by Plumbline: ./deploy-local.sh backup --every never deletes it.\n[Unit]\n"
    service = f"""\
{head}Description=Backup of Plumbline in {unit.escaped(str(home))}

[Service]
Type=oneshot
Nice=10
{unit.environment()}
{unit.runs("ExecStart", home, "backup", "--scheduled", "--keep", str(keep))}
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
