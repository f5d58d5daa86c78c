"""The record of the last drills, and its table. `nox -s drills -- --record` writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plumbline import ROOT
from plumbline.verification.docs.markdown import table

RECORD = ROOT / "plumbline" / "verification" / "drills" / "drills.json"
TARGETS = ("embedded", "compose")

Row = dict[str, Any]
"""The figures of a drill, as in judge.Verdict; or NOT_RUN, with the reason."""
Record = dict[str, dict[str, Row]]
"""Rows by target and name of the drill."""

_COLUMNS: dict[str, Callable[[Row], str]] = {
    "acknowledged": lambda row: f"{row['acknowledged']:,}",
    "lost": lambda row: str(row["lost"]),
    "doubled": lambda row: str(row["doubled"]),
    "refused": lambda row: _counts(row["refusals"]),
    "slowest refusal": lambda row: _seconds(row["slowest_refusal_s"]) if row["refusals"] else "-",
    "no answer": lambda row: str(row["unanswered"]),
    "longest pause": lambda row: _seconds(row["longest_pause_s"]),
    "recovered": lambda row: _seconds(row["recovered_s"]),
    "resuming: missed": lambda row: _of_sockets(row["resuming"]),
    "ordinary: missed": lambda row: _of_sockets(row["ordinary"]),
    "gaps, closed": lambda row: f"{row['ordinary']['gaps']}, {_closed(row['ordinary'])}",
    "closes": lambda row: _counts(row["ordinary"]["closes"]),
}
NOT_RUN = "not_run"


def load(path: Path = RECORD) -> Record:
    """Return the record that is kept with the code; empty without one."""
    if not path.exists():
        return {}
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def keep(target: str, rows: Mapping[str, Row], path: Path = RECORD) -> None:
    """Replace the rows of these drills on one target."""
    record = load(path)
    record[target] = record.get(target, {}) | dict(rows)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({one: record[one] for one in TARGETS if one in record}, indent=1) + "\n")
    partial.replace(path)


def summary(rows: Mapping[str, Row]) -> str:
    """Return a table with a line for each drill that was run."""
    ran = {name: row for name, row in rows.items() if NOT_RUN not in row}
    lines = [(name, *(column(row) for column in _COLUMNS.values())) for name, row in ran.items()]
    return table(("drill", *_COLUMNS), lines)


def not_run(rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the drills that were not run, with the reason."""
    return {name: row[NOT_RUN] for name, row in rows.items() if NOT_RUN in row}


def failed(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """Return the drills that have not passed, with the promises that were broken."""
    return {name: row["findings"] for name, row in rows.items() if row.get("findings")}


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{times} × {what}" for what, times in counted.items()) or "-"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _of_sockets(found: Row) -> str:
    again = f", {found['read_again']} told to read again" if found["read_again"] else ""
    return f"{found['missed']} of {found['sockets']} sockets{again}"


def _closed(found: Row) -> str:
    return str(found["gaps"] - found["silent_gaps"])
