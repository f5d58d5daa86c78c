"""How long a check usually takes is known in a fresh clone, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.verification.report import usual

SLOW = "tests/smoke/test_a.py::test_slow"


def session(name: str, **changed: Any) -> dict[str, Any]:
    checks = [
        {"name": SLOW, "outcome": "passed", "seconds": 20.4},
        {"name": "tests/smoke/test_a.py::test_fast", "outcome": "passed", "seconds": 1.2},
        {"name": "tests/smoke/test_a.py::test_red", "outcome": "failed", "seconds": 30.0},
        {"name": "plumbline/tests/test_a.py::test_unit", "outcome": "passed", "seconds": 30.0},
    ]
    return {"name": name, "state": "passed", "arguments": "", "seconds": 100.6, "checks": checks, **changed}


def report(folder: Path, *sessions: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps({"sessions": sessions}))
    return path


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty record of this test's own."""
    monkeypatch.setattr(usual, "RECORDED", tmp_path / "recorded" / usual.FILE)
    usual.RECORDED.parent.mkdir()
    return usual.RECORDED


def test_what_is_recorded_counts_until_there_are_runs(tmp_path: Path, recorded: Path) -> None:
    run = report(tmp_path / "run", session("suites"), session("lint", state="failed"), session("docs", arguments="-x"))
    usual.main([str(run)])
    assert json.loads(recorded.read_text()) == {"sessions": {"suites": 101}, "checks": {SLOW: 20}}
    reports = tmp_path / "reports"
    known = usual.of(reports)
    assert (known.session("suites", ""), known.session("suites", "-k a"), known.checks[SLOW]) == (101, None, 20)
    report(reports / "1", session("suites", seconds=55.0))
    assert usual.of(reports).session("suites", "") == 55.0
    assert usual.of(reports).checks[SLOW] == 20.4


def test_another_run_replaces_only_what_it_tells(tmp_path: Path, recorded: Path) -> None:
    usual.main([str(report(tmp_path / "1", session("suites"), session("lint")))])
    usual.main([str(report(tmp_path / "2", session("lint", seconds=7.0, checks=[])))])
    assert json.loads(recorded.read_text()) == {"sessions": {"suites": 101, "lint": 7}, "checks": {SLOW: 20}}


def test_every_recorded_check_exists() -> None:
    known = usual.Usual.saved(usual.RECORDED.parent)
    assert len(known.checks) > 10
    for check in known.checks:
        path, _, name = check.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), f"{check} is gone: record a run again"
