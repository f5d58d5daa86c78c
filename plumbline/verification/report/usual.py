"""How long sessions and checks usually take: the median of the kept runs, else what a machine of two cores needed.

`python -m plumbline.verification.report.usual REPORT.json` records a run as that machine's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

FILE = "usual.json"
RECORDED = Path(__file__).with_name(FILE)
"""What a machine of two cores needed: for a fresh clone, which has no run of its own."""
_WORTH_TELLING_S = 1.0
_WORTH_RECORDING_S = 5.0


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
        text = json.dumps({"sessions": self.sessions, "checks": self.checks}, indent=1, sort_keys=True)
        (folder / FILE).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def saved(cls, folder: Path) -> Usual:
        """Return those of a run."""
        try:
            document = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        return cls(document["sessions"], document["checks"])


def of(reports: Path) -> Usual:
    """Return the medians of the kept reports, and what is recorded for all others."""
    sessions: dict[str, list[float]] = {}
    checks: dict[str, list[float]] = {}
    for path in sorted(reports.glob("*/report.json")):
        for session in _sessions(path):
            if session["state"] == "passed":
                sessions.setdefault(_key(session["name"], session["arguments"]), []).append(session["seconds"])
            for check in session["checks"]:
                if check["outcome"] == "passed" and check["seconds"] >= _WORTH_TELLING_S:
                    checks.setdefault(check["name"], []).append(check["seconds"])
    recorded = Usual.saved(RECORDED.parent)
    return Usual(
        recorded.sessions | {name: median(found) for name, found in sessions.items()},
        recorded.checks | {name: median(found) for name, found in checks.items()},
    )


def recorded_of(report: Path) -> Usual:
    """Return what is worth recording of a run: whole sessions, and checks of the suites that take a while."""
    sessions = _sessions(report)
    return Usual(
        {one["name"]: round(one["seconds"]) for one in sessions if one["state"] == "passed" and not one["arguments"]},
        {
            check["name"]: round(check["seconds"])
            for one in sessions
            for check in one["checks"]
            if check["outcome"] == "passed"
            and check["seconds"] >= _WORTH_RECORDING_S
            and check["name"].startswith(("tests/smoke/", "tests/logs/"))
        },
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


def main(arguments: Sequence[str]) -> None:
    """Record runs of a machine of two cores; what they do not tell stays as it is."""
    made = Usual.saved(RECORDED.parent)
    for report in arguments:
        found = recorded_of(Path(report))
        made = Usual(made.sessions | found.sessions, made.checks | found.checks)
    made.save(RECORDED.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
