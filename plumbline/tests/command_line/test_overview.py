"""`status` and `doctor`: the state of the whole first, what was examined, and what is next."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from plumbline import overview, terminal
from plumbline.components import PORTS
from plumbline.errors import StepError
from plumbline.stack import Component
from plumbline.targets.embedded.target import EmbeddedTarget


def test_status_wraps_details_and_adds_the_home_to_commands(run, stopped, monkeypatch):
    words = "its supervisor does not know pid 1234567, which an earlier start left behind: ./deploy-local.sh ends it"
    monkeypatch.setattr(EmbeddedTarget, "_without_supervisor", lambda _: (Component("redis", "failed", detail=words),))
    said = run("status")[1]
    assert f"./deploy-local.sh --home {stopped.root} ends it" in " ".join(said.split())
    assert "\n  redis           failed\n    its supervisor" in said
    assert all(len(line) <= terminal.WIDTH for line in said.splitlines()[1:] if str(stopped.root) not in line)


def test_status_without_a_stack(run, home):
    code, said, _ = run("status")
    assert code == 3
    assert f"there is no stack in {home.root}" in said
    code, said, _ = run("status", "--json")
    assert code == 3
    assert json.loads(said) == {"phase": "absent", "home": str(home.root), "components": []}


def test_status_of_a_stopped_stack(run, stopped):
    code, said, _ = run("status", "--json")
    assert code == 3
    status = json.loads(said)
    assert (status["stack_id"], status["target"], status["phase"]) == ("abc", "embedded", "down")
    ports = {name: 20000 + number for number, name in enumerate(PORTS)}
    assert status["base_url"] == f"http://127.0.0.1:{ports['front']}"
    assert set(status["postgres"]) == {"host", "port", "database", "user", "password_file"}
    password_file = f"{status['home']}/secrets/redis_password"
    assert status["redis"] == {"url": f"redis://127.0.0.1:{ports['redis']}/0", "password_file": password_file}
    assert {component["state"] for component in status["components"]} == {"stopped"}
    assert all(component["log_file"] for component in status["components"])
    assert run("status")[0] == 3


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "reset", "doctor"])
def test_a_corrupt_state_file_is_named_by_every_command(run, stopped, command):
    (stopped.root / "state.json").write_text("{")
    arguments = [command, "--yes"] if command == "reset" else [command]
    code, _, said = run(*arguments)
    assert code == 1
    assert f"the state file {stopped.root / 'state.json'} cannot be read" in said
    assert "next: " in said


def test_a_corrupt_state_file_is_repaired_by_the_hinted_command(run, stopped):
    before = run("status", "--json")
    (stopped.root / "state.json").write_text("{")
    _, _, said = run("status")
    assert f"next: ./deploy-local.sh doctor --home {stopped.root} --repair" in said
    assert "The state file was restored from its copy." in run("doctor", "--repair")[1]
    assert run("status", "--json") == before
    assert "needs no repair" in run("doctor", "--repair")[1]


def _stack_with(monkeypatch, **states):
    """Let the stopped stack's components have these states."""
    known = EmbeddedTarget.stack

    def stack(target):
        found = known(target)
        return replace(
            found, components=tuple(replace(one, state=states.get(one.name, "running")) for one in found.components)
        )

    monkeypatch.setattr(EmbeddedTarget, "stack", stack)


def test_status_begins_with_the_state_of_the_whole(run, stopped, monkeypatch):
    assert run("status")[1].startswith(f"down: ./deploy-local.sh --home {stopped.root} starts it\n")
    _stack_with(monkeypatch, redis="failed", caddy="stopped")
    number = len(EmbeddedTarget(stopped).stack().components)
    stopped.save(stopped.load(), phase="ready")
    expected = f"incomplete: 2 of {number} components are not running. Next: ./deploy-local.sh --home {stopped.root}\n"
    assert run("status")[1].startswith(expected)


def test_status_tells_a_deployment_at_work_from_one_that_was_broken_off(run, stopped):
    stopped.save(stopped.load(), phase="deploying")
    expected = f"unfinished: the last deployment was broken off. Next: ./deploy-local.sh --home {stopped.root}\n"
    assert run("status")[1].startswith(expected)
    with stopped.lock("up"):
        assert run("status")[1].startswith(f"deploying: 'up' (pid {os.getpid()}) is at work\n")


def test_doctor_names_stopped_components_and_writes_a_bundle(run, stopped):
    code, said, _ = run("doctor", "--bundle")
    assert code == 1
    assert "  - postgres is stopped\n" in said
    assert f"Next: ./deploy-local.sh --home {stopped.root} starts what is not running" in said
    (bundle,) = stopped.diagnostics.iterdir()
    assert f"Bundle: {bundle}" in said


@pytest.mark.parametrize("unchanged", [True, False])
def test_doctor_reports_changes_that_are_not_deployed(run, stopped, monkeypatch, unchanged):
    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [])
    monkeypatch.setattr(EmbeddedTarget, "unchanged", lambda _: unchanged)
    monkeypatch.setattr(overview, "_not_running", lambda _: [])
    code, said, _ = run("doctor")
    assert code == 0
    assert "\n  examined: what a deployment needs of this machine (step preflight), " in said
    assert ("applies what has changed since the last deployment" in said) is not unchanged


@pytest.mark.parametrize(
    ("problems", "said"),
    [([], "  - docker container ls failed\n"), (["no Docker engine answers"], "  - no Docker engine answers\n")],
)
def test_doctor_reports_problems_if_the_state_is_unknown(run, stopped, monkeypatch, problems, said):
    def fail(_: object) -> None:
        raise StepError("docker container ls failed")

    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: list(problems))
    monkeypatch.setattr(EmbeddedTarget, "stack", fail)
    code, listed, _ = run("doctor")
    assert code == 1
    assert listed.partition("\n")[2] == f"Home {stopped.root}\n{said}"
