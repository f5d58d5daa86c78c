"""The GitHub workflow runs the same sessions as plain nox, and the compose target."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import subprocess
import sys
import tomllib
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from plumbline import ROOT

ON_REQUEST = {
    "accuracy",
    "bench",
    "contract",
    "coverage",
    "drills",
    "logs",
    "release",
    "selfcheck",
    "smoke",
    "upgrade",
    "websocket",
}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    return loaded["jobs"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """The functions of noxfile.py by their names, without their reports."""
    found = runpy.run_path(str(ROOT / "noxfile.py"))
    return {name: inspect.unwrap(getattr(one, "func", one)) for name, one in found.items() if callable(one)}


def test_the_workflow_runs_every_session_of_plain_nox(jobs: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    wanted = {session["name"] for session in json.loads(listed)} - ON_REQUEST
    assert set(jobs["sessions"]["strategy"]["matrix"]["session"]) == wanted


def test_plain_nox_does_not_use_a_running_stack(sessions: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^- (\w+)", listed, re.MULTILINE)) == ON_REQUEST
    ran: list[tuple[str, ...]] = []
    session = SimpleNamespace(install=lambda *_: None, run=lambda *command, **_: ran.append(command), posargs=[])
    sessions["suites"](session)
    assert ran == [("python", "-m", "pytest", "tests/smoke", "tests/logs", "--own-stack")]


@pytest.mark.parametrize("name", ["unit", "coverage"])
@pytest.mark.parametrize("chosen", [[], ["-m", "engine"]], ids=["all", "some"])
def test_all_unit_tests_run_in_several_processes_and_some_in_one(
    sessions: dict[str, Any], name: str, chosen: list[str]
) -> None:
    ran: list[tuple[str, ...]] = []
    session = SimpleNamespace(install=lambda *_: None, run=lambda *command, **_: ran.append(command), posargs=chosen)
    sessions[name](session)
    assert ran[0][:6] == ("python", "-m", "pytest", "benchmarks", "services", "plumbline")
    assert ("-n" in ran[0]) == (not chosen)
    assert list(ran[0][len(ran[0]) - len(chosen) :]) == chosen


def test_the_unit_tests_run_on_every_supported_python(jobs: dict[str, Any]) -> None:
    matrix = jobs["sessions"]["strategy"]["matrix"]
    tested = {*matrix["python"], *(one["python"] for one in matrix["include"] if one["session"] == "unit")}
    script = (ROOT / "deploy-local.sh").read_text()
    assert tested == set(re.findall(r"\bpython(3\.\d+)\b", script)), "deploy-local.sh looks for other versions"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classified = {one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one}
    assert classified == tested
    assert project["requires-python"] == f">={min(tested, key=lambda one: int(one.partition('.')[2]))}"


def test_every_step_runs_a_command_or_a_pinned_action(jobs: dict[str, Any]) -> None:
    for job in jobs.values():
        assert job["runs-on"]
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            assert "@" in step.get("uses", "@")
            script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
            assert "${{" not in script
            subprocess.run(["bash", "-n", "-c", script], check=True)


def test_the_container_job_runs_the_same_as_our_ci(jobs: dict[str, Any]) -> None:
    own = re.findall(
        r"^\.venv-nox/bin/nox --session (\w+).* -- (.*)$", (ROOT / ".ci/compose").read_text(), re.MULTILINE
    )
    assert len(own) == 2
    theirs = "\n".join(step.get("run", "") for step in jobs["compose"]["steps"])
    for session, arguments in own:
        # Ours names the only folder with engine tests.
        options = arguments.partition(" plumbline/")[0]
        assert re.search(rf"nox --session {session}\b.* -- {re.escape(options)}$", theirs, re.MULTILINE), session


def test_the_container_job_requires_an_engine(jobs: dict[str, Any]) -> None:
    assert jobs["compose"]["env"]["PLUMBLINE_REQUIRE_ENGINE"] == "1"
    commands = [step.get("run", "") for step in jobs["compose"]["steps"]]
    assert any("--session suites -- --target compose" in command for command in commands)
