"""The way back to the baseline, and forward again. tests/websocket goes it with a whole stack."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from plumbline import baseline
from plumbline.components import BACKEND, BASELINE, CADDY, COMPONENTS, POSTGRES, SPECS
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.plan import ON_BASELINE, TODAY, lineup_of
from plumbline.stack import Component, Stack

from .conftest import ScriptedTarget

STEPS = [step.name for step in ON_BASELINE.plan if step.name != "preflight"]


def test_the_baseline_needs_nothing_of_this_release_but_the_recorder_and_the_front_door() -> None:
    assert ON_BASELINE.components == ("redis", "log-sink", "baseline", "caddy")
    assert [step.name for step in ON_BASELINE.plan] == [
        "preflight", "secrets", "images", "redis", "log-sink", "baseline", "caddy", "identity",
    ]  # fmt: skip
    started = [name for step in ON_BASELINE.plan for name in step.components]
    assert started == list(ON_BASELINE.components)
    for spec in ON_BASELINE.table:
        assert POSTGRES.port.name not in spec.calls
    assert BASELINE not in TODAY.table
    assert {*SPECS} - {*COMPONENTS} == {BASELINE.name}


def test_caddy_finds_the_baseline_where_it_expects_the_services() -> None:
    answering = {port: ON_BASELINE.answers_at(port) for port in CADDY.calls}
    assert answering == {
        "backend": "baseline", "data-processor": "baseline", "log-sink": "log-sink", "log-ingest": "log-ingest",
    }  # fmt: skip
    assert {port: TODAY.answers_at(port) for port in CADDY.calls} == dict(zip(CADDY.calls, CADDY.calls, strict=True))
    assert ON_BASELINE.health_paths["baseline"] == BACKEND.health_path


def test_a_release_that_this_version_does_not_have_is_refused() -> None:
    with pytest.raises(PlumblineError, match=r"'2\.0'"):
        lineup_of("2.0")


@pytest.fixture(autouse=True)
def archive_of(monkeypatch: pytest.MonkeyPatch, scripted: ScriptedTarget) -> Path:
    """A database that can be archived. tests/websocket and tests of backups do it with a real one."""
    path = scripted.home.root / "backups" / "1-before-the-baseline.plumbline"
    contents = SimpleNamespace(rows=3, tables=("users",))
    kept = SimpleNamespace(path=path, manifest=SimpleNamespace(contents=contents), check=lambda: None)

    def snapshot(target: ScriptedTarget, stack: Stack, reason: str) -> SimpleNamespace:
        target.done.append(f"snapshot {reason}")
        if "snapshot" in target.failures:
            raise target.failures["snapshot"]
        return kept

    monkeypatch.setattr(baseline.backup, "snapshot", snapshot)
    monkeypatch.setattr(baseline.archive, "opened", lambda wanted: kept if wanted == path else None)
    monkeypatch.setattr(
        baseline.backup, "restored", lambda target, wanted: target.done.append(f"restore {wanted.path}")
    )
    return path


SNAPSHOT = ["begin", "secrets", "images", "postgres", "snapshot before the baseline"]
"""Postgres of the scripted stack does not run, and is started for that."""


def test_the_way_back_and_forward(home: Home, scripted: ScriptedTarget, capsys: pytest.CaptureFixture[str]) -> None:
    baseline.to_baseline(home, scripted)
    assert scripted.done == [*SNAPSHOT, "switch to baseline", "begin", *STEPS]
    said = capsys.readouterr().out
    assert "users find none of the data of this release" in said
    assert f"./deploy-local.sh rollback --home {home.root} --forward" in said
    scripted.done.clear()
    baseline.forward(home, scripted)
    assert scripted.done[:2] == ["switch to today", "begin"]
    assert scripted.done[2:] == [step.name for step in TODAY.plan if step.name != "preflight"]
    assert "is not taken along" in capsys.readouterr().out


def test_the_way_back_is_continued_after_an_interruption(home: Home, scripted: ScriptedTarget) -> None:
    scripted.failures["baseline"] = StepError("it does not start", component="baseline")
    with pytest.raises(StepError):
        baseline.to_baseline(home, scripted)
    assert home.load().release == "baseline"
    scripted.failures.clear()
    scripted.done.clear()
    baseline.to_baseline(home, scripted)
    assert scripted.done == ["begin", *STEPS]  # and no second snapshot


def test_everything_that_writes_is_stopped_before_the_snapshot(home: Home, scripted: ScriptedTarget) -> None:
    scripted.states = {name: Component(name, "running") for name in scripted.states}
    baseline.to_baseline(home, scripted)
    assert scripted.done[:5] == ["stop caddy", "stop backend", "stop data-processor", "stop worker", SNAPSHOT[-1]]


def test_without_a_snapshot_nothing_is_switched_unless_that_is_asked_for(home: Home, scripted: ScriptedTarget) -> None:
    scripted.failures["snapshot"] = PlumblineError("the disk is full")
    with pytest.raises(PlumblineError, match="no snapshot could be taken: the disk is full") as refused:
        baseline.to_baseline(home, scripted)
    assert "--without-snapshot" in str(refused.value.hint)
    assert scripted.lineup is TODAY
    baseline.to_baseline(home, scripted, snapshot=False)
    assert scripted.lineup is ON_BASELINE
    with pytest.raises(PlumblineError, match="there is no snapshot"):
        baseline.to_baseline(home, scripted, drop_data=True)
    assert "drop the database" not in scripted.done


def test_dropped_data_comes_back_from_the_snapshot_before_migrations(
    home: Home, scripted: ScriptedTarget, archive_of: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline.to_baseline(home, scripted, drop_data=True)
    assert scripted.done[-1] == "drop the database"
    assert f"{archive_of} brings it back" in capsys.readouterr().out
    scripted.done.clear()
    baseline.forward(home, scripted)
    place = scripted.done.index("postgres")
    assert scripted.done[place : place + 3] == ["postgres", f"restore {archive_of}", "restored"]
    assert scripted.done.index("migrate-backend") > place + 2
    assert (home.load().snapshot, home.load().restore) == ("", "")


def test_kept_data_are_not_restored(home: Home, scripted: ScriptedTarget) -> None:
    baseline.to_baseline(home, scripted)
    scripted.done.clear()
    baseline.forward(home, scripted)
    assert not any(one.startswith("restore") for one in scripted.done)


def test_nothing_is_stopped_if_preflight_finds_a_problem(home: Home, scripted: ScriptedTarget) -> None:
    scripted.preflight_problems = ["port 8080 is taken"]
    with pytest.raises(PlumblineError, match="port 8080 is taken"):
        baseline.to_baseline(home, scripted)
    assert scripted.done == []


def test_forward_is_refused_on_this_release(home: Home, scripted: ScriptedTarget) -> None:
    with pytest.raises(PlumblineError, match="not on the baseline"):
        baseline.forward(home, scripted)
    assert scripted.done == []
