"""Which stack the suites prove: one that runs, if it may be the one that is meant."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline import pytest_plugin


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Any:
    target = SimpleNamespace(name="embedded", stack=lambda: SimpleNamespace(running=True))
    monkeypatch.setattr(pytest_plugin.Home, "exists", True)
    monkeypatch.setattr(pytest_plugin, "choose", lambda *_: (target, "this stack's target"))
    return target


def config(home: Path, **options: Any) -> Any:
    given = {"home": home, "own_stack": False, "target": "auto", **options}
    return SimpleNamespace(getoption=given.__getitem__)


@pytest.mark.parametrize("asked", ["auto", "embedded"])
def test_a_stack_that_runs_is_reused(running: Any, tmp_path: Path, asked: str) -> None:
    assert pytest_plugin.running_stack(config(tmp_path, target=asked)) is running


def test_a_stack_of_another_target_is_not_what_was_asked_for(running: Any, tmp_path: Path) -> None:
    assert pytest_plugin.running_stack(config(tmp_path, target="compose")) is None


def test_one_of_its_own_where_that_is_asked_for_or_nothing_runs(running: Any, tmp_path: Path) -> None:
    assert pytest_plugin.running_stack(config(tmp_path, own_stack=True)) is None
    running.stack = lambda: SimpleNamespace(running=False)
    assert pytest_plugin.running_stack(config(tmp_path)) is None
