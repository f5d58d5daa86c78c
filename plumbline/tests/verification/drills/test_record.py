"""The record has a row for each declared drill on each target, and the page shows it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from plumbline.components import COMPONENTS
from plumbline.verification.docs.pages import drills
from plumbline.verification.drills import record
from plumbline.verification.drills.declared import DRILLS
from plumbline.verification.drills.judge import judge
from plumbline.verification.drills.seen import Heard, Ledger, Seen

ROW = asdict(judge(Seen(Ledger(), [Heard(1, resumes=True), Heard(1, resumes=False)], []), writes_min=0))


@pytest.mark.parametrize("target", record.TARGETS)
def test_each_declared_drill_has_passed_or_says_why_it_was_not_run(target: str) -> None:
    rows = record.load()[target]
    assert set(rows) == {one.name for one in DRILLS}, f"run `nox -s drills -- --target {target} --record`"
    assert record.failed(rows) == {}


def test_each_component_is_killed_stopped_and_stalled() -> None:
    names = {one.name for one in DRILLS}
    assert {f"{how} {name}" for how in ("kill", "stop", "stall") for name in COMPONENTS} <= names


def test_rows_of_other_drills_and_targets_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "drills.json"
    record.keep("compose", {"kill redis": ROW}, path)
    record.keep("embedded", {"kill redis": ROW, "kill caddy": ROW}, path)
    record.keep("embedded", {"kill caddy": {record.NOT_RUN: "needs root"}}, path)
    kept = record.load(path)
    assert kept["compose"] == {"kill redis": ROW}
    assert record.not_run(kept["embedded"]) == {"kill caddy": "needs root"}
    assert list(kept) == list(record.TARGETS)


def test_a_drill_that_failed_is_shown_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "drills.json"
    record.keep("embedded", {"kill redis": {**ROW, "lost": 1, "findings": ["lost: message 3"]}}, path)
    kept = record.load(path)
    monkeypatch.setattr(record, "load", lambda: kept)
    assert "| kill redis |" in drills.page()
    assert "*kill redis* has not passed: lost: message 3." in drills.page()
