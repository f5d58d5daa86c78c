"""The supervisor's configuration that a deployment writes is the declared one, and each difference is found."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import pytest

from plumbline.components import COMPONENTS, PORTS
from plumbline.errors import NotGivenError
from plumbline.home import Home
from plumbline.inside import Inside, Process
from plumbline.targets.embedded import postgres, programs, redis_server
from plumbline.targets.embedded.accounts import Account
from plumbline.targets.embedded.supervisor import Supervisor
from plumbline.verification.checks import supervision

PORT_NUMBERS = {name: 20000 + number for number, name in enumerate(PORTS)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the configuration that a deployment writes."""
    monkeypatch.setattr(programs, "find_caddy", lambda: Path("/usr/bin/caddy"))
    monkeypatch.setattr(redis_server, "find", lambda: Path("/usr/bin/redis-server"))
    home = Home(tmp_path / "home")
    home.run.mkdir(parents=True)
    layout = programs.Layout(home, PORT_NUMBERS, "0123456789abcdef")
    cluster = postgres.Cluster(tmp_path / "bin", home.data / "postgres", Account(), PORT_NUMBERS["postgres"])
    (home.run / "supervisord.conf").write_text(Supervisor(home)._render(layout.programs(cluster)))
    return home.root


def test_what_a_deployment_writes_is_as_declared(home: Path) -> None:
    found = supervision.read(home)
    assert [*supervision.differences(found)] == []
    assert {f"program:{name}" for name in COMPONENTS} <= found.keys()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("umask=077", "umask=022", "supervisor: umask is 022 in supervisord.conf; expected 077"),
        ("chmod=0700", "chmod=0777", "supervisor: chmod is 0777 in supervisord.conf; expected 0700"),
        ("stopsignal=INT", "stopsignal=KILL", "postgres: stopsignal is KILL in supervisord.conf; expected INT"),
        ("[program:watch]", "[program:others]", "supervisor: has a section [program:others]; expected none"),
        ("[supervisorctl]", "[inet_http_server]", "supervisor: has a section [inet_http_server]; expected none"),
        ("'--bind' '127.0.0.1'", "'--bind' '*'", "redis: is started with --port "),
    ],
)
def test_each_difference_is_found(home: Path, old: str, new: str, said: str) -> None:
    file = home / "run/supervisord.conf"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    assert any(finding.startswith(said) for finding in supervision.differences(supervision.read(home)))


def test_a_program_that_stays_dead_is_found(home: Path) -> None:
    file = home / "run/supervisord.conf"
    file.write_text(file.read_text().replace("autorestart=true", "autorestart=false"))
    found = [*supervision.differences(supervision.read(home))]
    assert "caddy: autorestart is false in supervisord.conf; expected true" in found
    assert len(found) == len(COMPONENTS) + 1


def test_a_stack_without_a_supervisor_is_not_verified(tmp_path: Path) -> None:
    with pytest.raises(NotGivenError, match="--target embedded"):
        supervision.read(tmp_path)


def test_an_open_umask_is_found() -> None:
    processes = [Process("backend", "", pid, 1, 0, (), {}, umask) for pid, umask in ((2, "0077"), (3, "0022"), (4, ""))]
    found = [*supervision.umasks(Inside(tuple(processes), frozenset(), {}, False))]
    assert found == ["backend: process 3 has umask 0022; expected 0077"]


def test_a_process_that_got_the_number_of_an_ended_one_is_no_finding() -> None:
    """The numbers are read at the beginning of a run, and used again for others while it disturbs the stack."""
    before = os.umask(0o022)
    try:
        ended = Process("backend", "", os.getpid(), 1, 0, (), {}, "0077")
        found = [*supervision.umasks(Inside((ended,), frozenset(), {}, False))]
    finally:
        os.umask(before)
    assert found == []


def test_the_command_of_a_program_is_read_from_its_configuration(home: Path) -> None:
    assert Supervisor(Home(home)).command("redis")[0] == "/bin/sh"
    with pytest.raises((KeyError, configparser.Error)):
        Supervisor(Home(home)).command("worker-bee")
