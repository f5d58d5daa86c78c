"""Reports about containers that ended or hang, with a fake engine."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.containers import Container
from plumbline.targets.compose.project import Project

STARTED = Container(
    id="1234", service="backend", status="running", health="starting", exit_code=0, restarts=0, pid=1, started_at="",
    finished_at="", image="", address="", health_command=("probe",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("now", "events", "expected"),
    [
        (replace(STARTED, restarts=1), "1\n78\n", 78),
        (replace(STARTED, restarts=1, status="restarting", exit_code=78), "", 78),
        (replace(STARTED, status="exited", exit_code=137), "0\n", 137),
    ],
)
def test_the_exit_code_is_the_last_one_even_where_it_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: Container, events: str, expected: int
) -> None:
    def docker(*arguments: str, **_: Any) -> subprocess.CompletedProcess[str]:
        said = events if arguments[0] == "events" else ""
        return subprocess.CompletedProcess(arguments, 1, said, "")

    monkeypatch.setattr(containers, "one_of", lambda *_: STARTED)
    monkeypatch.setattr(containers, "_read", lambda _: now)
    monkeypatch.setattr(engine, "inspect", lambda _: [{}])
    monkeypatch.setattr(engine, "docker", docker)
    with pytest.raises(StepError, match="backend ended before it was ready") as failure:
        containers.wait_ready(Project(Home(tmp_path)), "backend")
    assert failure.value.exit_code == expected


@pytest.mark.parametrize(
    ("host", "door"),
    [("127.0.0.1", "127.0.0.1:80"), ("", "127.0.0.1:80"), ("0.0.0.0", "127.0.0.1:80"), ("::", "127.0.0.1:80"),
     ("192.0.2.7", "192.0.2.7:80"), ("::1", "[::1]:80")],
)  # fmt: skip
def test_the_front_door_is_where_it_is_published(host: str, door: str) -> None:
    assert containers._published({"8080/tcp": [{"HostIp": host, "HostPort": "80"}], "9000/tcp": []}) == door
    assert containers._published({"9000/tcp": []}) == ""


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        (STARTED, "running", ""),
        (replace(STARTED, health="unhealthy", health_words="port 8001 does not answer"), "failed",
         "unhealthy: port 8001 does not answer"),
        (replace(STARTED, status="restarting", restarts=4, exit_code=1), "failed",
         "it ended 5 times, last with exit status 1"),
        (replace(STARTED, restarts=3), "failed", "it was started again 3 times"),
        (replace(STARTED, restarts=9, started_at="2020-01-01T00:00:00.1Z"), "running", ""),
        (replace(STARTED, status="paused"), "stopped", "paused"),
    ],
)  # fmt: skip
def test_a_container_that_hangs_or_restarts_is_not_running(seen: Container, state: str, words: str) -> None:
    component = seen.component()
    assert component.state == state
    assert component.detail.startswith(words)
