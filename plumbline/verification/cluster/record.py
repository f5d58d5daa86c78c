"""The record of the last drills on several nodes, and its table. `nox -s cluster -- --record` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from plumbline import ROOT
from plumbline.verification.docs.markdown import table
from plumbline.verification.drills.record import Row

RECORD = ROOT / "plumbline" / "verification" / "cluster" / "drills.json"
RESULTS = ROOT / "test-artifacts" / "cluster.json"
_COLUMNS = ("drill", "requests", "failed", "longest gap", "writes", "lost", "doubled", "sockets that missed an event")


def load(path: Path = RECORD) -> dict[str, Row]:
    """Return the record that is kept with the code; empty without one."""
    rows: dict[str, Row] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return rows


def keep(rows: Mapping[str, Row], path: Path = RECORD) -> None:
    """Replace the rows of these drills."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(load(path) | dict(rows), indent=1) + "\n", encoding="utf-8")


def summary(rows: Mapping[str, Row]) -> str:
    """Return a table with a line for each drill."""
    return table(_COLUMNS, [(name, *_cells(row)) for name, row in rows.items()])


def failed(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """Return the drills that have not passed, with the promises that were broken."""
    return {name: row["findings"] for name, row in rows.items() if row["findings"]}


def _cells(row: Row) -> tuple[str, ...]:
    refused = sum(row["refusals"].values()) + row["unanswered"]
    sockets = [row[kind] for kind in ("resuming", "ordinary")]
    missed = sum(one["missed"] + one["silent_gaps"] for one in sockets)
    return (
        f"{row['acknowledged'] + refused:,}", f"{refused:,}", f"{row['longest_pause_s']:.1f} s",
        f"{row['acknowledged']:,}", str(row["lost"]), str(row["doubled"]),
        f"{missed} of {sum(one['sockets'] for one in sockets)}",
    )  # fmt: skip
