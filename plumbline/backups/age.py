"""How old the newest verified backup of a stack is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plumbline.backups import archive, backup
from plumbline.backups.store import Store
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target

IN_THE_CLUSTER = "in the cluster"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest verified backup: when it was made, and its name. `problem`: why that is unknown."""

    made_at: datetime | None = None
    name: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return `newest_verified_backup` of `status --json`."""
        made_at = self.made_at.isoformat(timespec="seconds") if self.made_at else None
        return {"made_at": made_at, "name": self.name, "problem": self.problem}

    def line(self, now: datetime | None = None) -> str:
        """Return its age for people."""
        if self.problem:
            return f"the age of the newest one is unknown: {self.problem}"
        if self.made_at is None:
            return "none is verified: ./deploy-local.sh backup, then the command that it prints"
        hours = ((now or datetime.now(UTC)) - self.made_at).total_seconds() / 3600
        if hours < 0:
            future = f"{self.made_at:%Y-%m-%d %H:%M} UTC"
            return f"the newest verified one is from the future ({future}): check this machine's clock"
        return f"the newest verified one is {_age(hours)} old ({self.name})"


def _age(hours: float) -> str:
    if hours < 2:
        minutes = round(hours * 60)
        return f"{minutes} minutes" if minutes > 1 else "about a minute"
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def newest(home: Home, target: Target) -> Newest:
    """Return the newest verified backup, of the home or of the cluster."""
    try:
        found = [one for one in (_in_home(home), _in_cluster(target)) if one]
    except PlumblineError as error:
        return Newest(problem=str(error))
    return max(found, key=lambda one: one.made_at or datetime.min.replace(tzinfo=UTC), default=Newest())


def _in_home(home: Home) -> Newest | None:
    verified = Store(home.root / backup.FOLDER).newest_verified()
    if verified is None:
        return None
    path = verified[0].path
    return Newest(datetime.fromisoformat(archive.opened(path).manifest.made_at), path.name)


def _in_cluster(target: Target) -> Newest | None:
    made_at = target.scheduled_backup()
    return Newest(made_at, IN_THE_CLUSTER) if made_at else None
