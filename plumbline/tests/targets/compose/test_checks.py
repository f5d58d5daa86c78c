"""Changes of the compose file that are refused, and problems of the engine. No engine needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from plumbline import preflight
from plumbline.components import COMPONENTS
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.compose import checks, engine
from plumbline.targets.compose.target import ComposeTarget


def config(**changes: dict[str, Any]) -> dict[str, Any]:
    services: dict[str, Any] = {name: {} for name in COMPONENTS}
    services["caddy"] = {"ports": [{"target": 8080, "published": "8080", "host_ip": "127.0.0.1"}]}
    return {"services": services | changes}


def test_the_file_as_it_is_meant_has_no_problem() -> None:
    assert list(checks.config_problems(config())) == []


def test_a_published_postgres_is_refused() -> None:
    changed = config(postgres={"ports": [{"target": 5432, "published": "5433"}]})
    (problem,) = checks.config_problems(changed)
    assert "publishes port 5433 of postgres" in problem
    assert "remove `ports` from postgres" in problem


def test_a_second_port_of_the_front_door_is_refused() -> None:
    ports = [*config()["services"]["caddy"]["ports"], {"target": 9000, "published": "9000"}]
    (problem,) = checks.config_problems(config(caddy={"ports": ports}))
    assert "publishes port 9000 of caddy, which is internal" in problem


@pytest.mark.parametrize(("change", "word"), [({"network_mode": "host"}, "host"), ({"privileged": True}, "privileged")])
def test_a_container_with_the_run_of_the_host_is_refused(change: dict[str, Any], word: str) -> None:
    (problem,) = checks.config_problems(config(backend=change))
    assert "backend" in problem
    assert word in problem


def test_a_missing_service_is_named() -> None:
    changed = config()
    del changed["services"]["redis"]
    (problem,) = checks.config_problems(changed)
    assert "no service redis" in problem


def fake_docker(monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str]]) -> None:
    def answer(*arguments: str, **_: Any) -> Any:
        code, text = answers[arguments[0]]
        return engine.subprocess.CompletedProcess(arguments, code, text, "")

    monkeypatch.setattr(engine.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setattr(engine, "docker", answer)


def test_an_engine_too_old_is_named_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(monkeypatch, {"version": (0, "19.03.1"), "compose": (0, "2.6.0"), "buildx": (0, "")})
    assert list(engine.problems()) == [
        "the Docker engine is version 19.03.1, 20.10 or newer is needed: update it, or use --target embedded",
        "the Compose plugin is version 2.6.0, 2.20 or newer is needed: update it, or use --target embedded",
    ]


def test_missing_plugins_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(monkeypatch, {"version": (0, "28.1.0"), "compose": (1, ""), "buildx": (1, "")})
    problems = list(engine.problems())
    assert len(problems) == 2
    assert "docker-compose" in problems[0]
    assert "docker-buildx" in problems[1]


def failing(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(
        engine, "docker", lambda *arguments, **_: engine.subprocess.CompletedProcess(arguments, 1, "", said)
    )


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("compose", "--file", "docker/compose.yaml", "up", "--detach", "backend"), "docker compose up"),
        (("compose", "--project-name", "plumbline", "--progress", "build"), "docker compose build"),
        (("container", "ls", "--all"), "docker container ls"),
    ],
)
def test_a_command_that_failed_is_named_as_one_types_it(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], name: str
) -> None:
    failing(monkeypatch, "something unheard of")
    with pytest.raises(StepError) as failure:
        engine.output(*arguments)
    assert str(failure.value) == f"{name} failed: something unheard of"
    assert failure.value.hint is None


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "start the Docker engine"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///x", "group docker"),
        ("Bind for 127.0.0.1:8080 failed: port is already allocated", "--port"),
        ("listen tcp4 127.0.0.1:8080: bind: address already in use", "--port"),
        ("write /x: no space left on device", "docker system df"),
    ],
)
def test_what_an_engine_often_says_comes_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, said: str, way_out: str
) -> None:
    failing(monkeypatch, said)
    with pytest.raises(StepError) as failure:
        engine.output("container", "ls")
    assert way_out in str(failure.value.hint)


@pytest.mark.parametrize(("port", "others"), [(8080, 0), (8081, 1)])
def test_a_taken_port_is_reported_without_an_engine_unless_it_may_be_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, others: int
) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.save(home.load(), target="compose", ports={"front": 8080})
    failing(monkeypatch, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?")
    monkeypatch.setattr(preflight.net, "is_free", lambda _: False)
    problems = ComposeTarget(home, port).problems()
    assert sum("is taken by" in problem for problem in problems) == others
    assert any("no Docker engine answers" in problem or "no docker command" in problem for problem in problems)


def test_no_engine_is_one_problem_with_its_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(monkeypatch, {"version": (1, "")})
    (problem,) = engine.problems()
    assert problem.startswith("no Docker engine answers")
    assert "--target embedded" in problem


def test_an_engine_that_this_user_may_not_use_is_not_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.shutil, "which", lambda _: "/usr/bin/docker")
    failing(monkeypatch, "permission denied while trying to connect to the Docker daemon socket at unix:///x: Get ...")
    (problem,) = engine.problems()
    assert problem.startswith("this user may not talk to the Docker engine: ")
    assert "group docker" in problem


def test_an_engine_that_hangs_is_not_called_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(engine, "_ANSWER_PATIENCE_S", 0.1)
    (problem,) = engine.problems()
    assert problem.startswith("the Docker engine did not answer within 0.1 s: check it (docker info)")
