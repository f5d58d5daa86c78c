"""The choice of the stack to verify, and the cleanup of the suite's own one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline.components import COMPONENTS
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.plan import ON_BASELINE
from plumbline.stack import Component, ComponentState
from plumbline.tests.conftest import ScriptedTarget
from plumbline.verification.plugins import stack as stack_plugin


@pytest.fixture
def existing(scripted: ScriptedTarget, monkeypatch: pytest.MonkeyPatch) -> ScriptedTarget:
    """A stack that is whole, deployed from this checkout."""
    scripted.name = "embedded"
    scripted.current = True
    scripted.phase = "ready"
    scripted.states = {name: Component(name, "running") for name in scripted.states}
    monkeypatch.setattr(stack_plugin.Home, "exists", True)
    monkeypatch.setattr(stack_plugin, "choose", lambda *_: (scripted, "this stack's target"))
    monkeypatch.setattr(stack_plugin.identity, "compare", lambda *_: [])
    return scripted


def config(home: Path, **options: Any) -> Any:
    given = {"home": home, "own_stack": False, "target": "auto", **options}
    return SimpleNamespace(getoption=given.__getitem__)


@pytest.mark.parametrize("asked", ["auto", "embedded"])
def test_an_existing_stack_is_used(existing: ScriptedTarget, tmp_path: Path, asked: str) -> None:
    assert stack_plugin.existing_stack(config(tmp_path, target=asked)) is existing
    stack_plugin._refuse_incomplete(existing)


def test_an_own_stack_is_used_if_requested_or_if_there_is_none(
    existing: ScriptedTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack_plugin.existing_stack(config(tmp_path, own_stack=True)) is None
    assert stack_plugin.existing_stack(config(tmp_path, target="compose")) is None
    existing.phase = "absent"
    assert stack_plugin.existing_stack(config(tmp_path)) is None
    existing.phase = "ready"
    monkeypatch.setattr(stack_plugin.Home, "exists", False)
    assert stack_plugin.existing_stack(config(tmp_path)) is None


@pytest.mark.parametrize("state", ["stopped", "failed", "starting"])
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_stack_with_a_component_missing_is_refused(
    existing: ScriptedTarget, tmp_path: Path, component: str, state: ComponentState
) -> None:
    existing.states[component] = Component(component, state, detail="exit code 3")
    assert stack_plugin.existing_stack(config(tmp_path)) is existing
    with pytest.raises(pytest.exit.Exception, match=rf"cannot be verified: {component} is {state} \(exit code 3\)"):
        stack_plugin._refuse_incomplete(existing)


@pytest.mark.parametrize("phase", ["deploying", "down"])
def test_a_stack_that_is_not_up_is_refused(existing: ScriptedTarget, tmp_path: Path, phase: str) -> None:
    existing.phase = phase
    assert stack_plugin.existing_stack(config(tmp_path)) is existing
    with pytest.raises(pytest.exit.Exception, match=f"it is {phase}") as refused:
        stack_plugin._refuse_incomplete(existing)
    assert refused.value.returncode == 1
    assert "./deploy-local.sh --home" in str(refused.value)
    assert "--own-stack" in str(refused.value)


def test_a_stack_of_another_release_is_refused(existing: ScriptedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    existing.current = False
    with pytest.raises(pytest.exit.Exception, match="other files than those of this checkout"):
        stack_plugin._refuse_incomplete(existing)
    monkeypatch.setattr(stack_plugin.identity, "compare", lambda *_: ["backend belongs to deployment 'old'"])
    with pytest.raises(pytest.exit.Exception, match="backend belongs to deployment 'old'"):
        stack_plugin._refuse_incomplete(existing)


def test_a_stack_on_the_baseline_is_refused(existing: ScriptedTarget) -> None:
    existing.lineup = ON_BASELINE
    with pytest.raises(pytest.exit.Exception, match="it is on the baseline") as refused:
        stack_plugin._refuse_incomplete(existing)
    assert "--forward" in str(refused.value)


class OwnTarget(ScriptedTarget):
    """Saves its state, like real targets, so that there is something to remove."""

    def begin(self) -> None:
        super().begin()
        self.home.save(self.home.load(), target=self.name)

    def remove(self) -> list[str]:
        self.done.append("remove")
        return super().remove()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that creates a suite's own stack, with all files in `tmp_path`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(stack_plugin, "_ARTIFACTS", tmp_path / "artifacts")

    def make(failure: BaseException | None = None, *, keep: bool = False, **stats: list[str]) -> Any:
        made: list[OwnTarget] = []

        def choose(wanted: str, home: Home, port: int) -> tuple[OwnTarget, str]:
            assert (wanted, port) == ("embedded", 0)
            made.append(OwnTarget(home))
            if failure is not None:
                made[0].failures["services"] = failure
            return made[0], "asked for"

        monkeypatch.setattr(stack_plugin, "choose", choose)
        given = {"target": "embedded", "keep_stack": keep, "https": False}
        reporter = SimpleNamespace(stats=stats)
        plugins = SimpleNamespace(getplugin=lambda _: reporter)
        options: Any = SimpleNamespace(getoption=given.__getitem__, pluginmanager=plugins)
        return stack_plugin._own_stack(options, lambda action: action()), made

    return make


def homes(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("plumbline-*"))


def test_the_own_stack_is_removed_afterwards(own: Any, tmp_path: Path) -> None:
    stack, targets = own()
    assert next(stack) is targets[0]
    assert homes(tmp_path) == [targets[0].home.root]
    assert list(stack) == []
    assert targets[0].done[-1] == "remove"
    assert homes(tmp_path) == []


def test_a_failed_start_removes_the_stack_and_keeps_the_bundle(own: Any, tmp_path: Path) -> None:
    stack, targets = own(StepError("no"))
    with pytest.raises(pytest.exit.Exception, match="the stack did not come up: no"):
        next(stack)
    assert targets[0].done[-1] == "remove"
    assert homes(tmp_path) == []
    assert len(list((tmp_path / "artifacts" / "diagnostics").iterdir())) == 1


def test_an_interrupted_start_removes_the_stack(own: Any, tmp_path: Path) -> None:
    stack, targets = own(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        next(stack)
    assert targets[0].done[-1] == "remove"
    assert homes(tmp_path) == []


def test_failed_checks_leave_a_bundle(own: Any, tmp_path: Path) -> None:
    stack, _ = own(failed=["one"])
    next(stack)
    assert list(stack) == []
    assert homes(tmp_path) == []
    (bundle,) = (tmp_path / "artifacts" / "diagnostics").iterdir()
    assert bundle.name.endswith("-checks")


@pytest.mark.parametrize("failure", [None, StepError("no")], ids=["came-up", "failed"])
def test_the_own_stack_is_kept_if_requested(own: Any, tmp_path: Path, capsys: Any, failure: Any) -> None:
    stack, targets = own(failure, keep=True)
    if failure is None:
        next(stack)
        assert list(stack) == []
    else:
        with pytest.raises(pytest.exit.Exception):
            next(stack)
    (home,) = homes(tmp_path)
    assert "remove" not in targets[0].done
    said = capsys.readouterr().out
    for command in ("status", "logs", "reset"):
        assert f"./deploy-local.sh {command} --home {home}\n" in said
