"""The GitHub workflow runs the same sessions as plain nox, and the compose target."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from plumbline import ROOT

ON_REQUEST = {
    "accuracy",
    "bench",
    "cluster",
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


@pytest.fixture
def pytest_runs(sessions: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return the arguments of pytest in a session, which runs nothing."""

    def runs(name: str, *chosen: str) -> list[str]:
        run: list[tuple[str, ...]] = []
        parts = sessions[name].__globals__
        monkeypatch.setitem(parts, "_renderer", lambda _: True)
        monkeypatch.setattr(parts["RUN"], "step", lambda *_: nullcontext())
        nothing = {"install": lambda *_: None, "run": lambda *command, **_: run.append(command)}
        sessions[name](SimpleNamespace(**nothing, posargs=list(chosen)))
        (found,) = [list(command[3:]) for command in run if command[:3] == ("python", "-m", "pytest")]
        return found

    return runs


@pytest.mark.parametrize("name", ["unit", "coverage", "manifests"])
@pytest.mark.parametrize("chosen", [(), ("-m", "engine")], ids=["all", "some"])
def test_all_tests_of_a_session_run_in_several_processes_and_some_in_one(
    pytest_runs: Callable[..., list[str]], name: str, chosen: tuple[str, ...]
) -> None:
    arguments = pytest_runs(name, *chosen)
    assert ("-n" in arguments) == (not chosen)
    assert all(one in arguments for one in chosen)


def test_a_plain_run_of_nox_runs_each_unit_test_once(pytest_runs: Callable[..., list[str]]) -> None:
    ignored = {one.removeprefix("--ignore=") for one in pytest_runs("unit") if one.startswith("--ignore=")}
    assert {one for name in ("manifests", "docs") for one in pytest_runs(name) if "/" in one} == ignored
    assert all((ROOT / folder).is_dir() for folder in ignored)
    assert not [one for one in pytest_runs("coverage") if one.startswith("--ignore=")]


def test_the_unit_tests_run_on_every_supported_python(jobs: dict[str, Any]) -> None:
    matrix = jobs["sessions"]["strategy"]["matrix"]
    also = {
        name: {one["python"] for one in matrix["include"] if one["session"] == name} for name in ("unit", "manifests")
    }
    assert also["unit"] == also["manifests"], "unit tests are in both sessions"
    tested = {*matrix["python"], *also["unit"]}
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
