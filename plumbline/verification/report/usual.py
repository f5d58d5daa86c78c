"""How long sessions and checks usually take: the median of the earlier runs whose reports are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

FILE = "usual.json"
_WORTH_TELLING_S = 1.0


@dataclass
class Usual:
    """Seconds by session, with its arguments, and by check."""

    sessions: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)

    def session(self, name: str, arguments: str) -> float | None:
        """Return how long a session usually takes."""
        return self.sessions.get(_key(name, arguments))

    def save(self, folder: Path) -> None:
        """Save them for the programs of this run."""
        (folder / FILE).write_text(json.dumps({"sessions": self.sessions, "checks": self.checks}), encoding="utf-8")

    @classmethod
    def saved(cls, folder: Path) -> Usual:
        """Return those of a run."""
        try:
            document = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        return cls(document["sessions"], document["checks"])


def of(reports: Path) -> Usual:
    """Return the medians of the kept reports."""
    sessions: dict[str, list[float]] = {}
    checks: dict[str, list[float]] = {}
    for path in sorted(reports.glob("*/report.json")):
        for session in _sessions(path):
            if session["state"] == "passed":
                sessions.setdefault(_key(session["name"], session["arguments"]), []).append(session["seconds"])
            for check in session["checks"]:
                if check["outcome"] == "passed" and check["seconds"] >= _WORTH_TELLING_S:
                    checks.setdefault(check["name"], []).append(check["seconds"])
    return Usual(
        {name: median(found) for name, found in sessions.items()},
        {name: median(found) for name, found in checks.items()},
    )


def words(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _key(name: str, arguments: str) -> str:
    return f"{name} -- {arguments}" if arguments else name


def _sessions(path: Path) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["sessions"]
    except (OSError, ValueError, KeyError):
        return []
    return found
