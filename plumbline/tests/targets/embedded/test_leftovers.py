"""Leftover processes of a killed supervisor are found and ended; other processes are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from plumbline import net
from plumbline.components import PORTS
from plumbline.targets.embedded import leftovers
from plumbline.targets.embedded.supervisor import Program
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.verification.throwaway import wait_until

_SLEEP = "import time; print('up', flush=True); time.sleep(3600)"
_STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"


@pytest.fixture
def start():
    """Starts a process in a directory and waits until it is up."""
    started = []

    def run(directory, *command, code=_SLEEP):
        directory.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            command or [sys.executable, "-c", code], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        if not command:
            assert process.stdout.readline() == b"up\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _pids(processes):
    return {process.pid for process in processes}


def test_programs_of_a_supervisor_that_was_killed_are_found_and_ended(supervisor, program, home):
    supervisor.apply([program("one"), program("two")])
    for name in ("one", "two"):
        supervisor.start(name)
        wait_until(lambda name=name: (home.logs / f"{name}.log").exists(), f"{name} runs")
        wait_until(lambda name=name: (home.logs / f"{name}.log").read_text() == "up\n", f"{name} is up")
    running = {supervisor.component(name).pid for name in ("one", "two")}
    directories = [home.run / "one", home.run / "two"]
    assert leftovers.find(directories, supervisor.pid()) == [], "they are answered for"
    os.kill(supervisor.pid(), signal.SIGKILL)
    wait_until(lambda: not supervisor.alive(), "the supervisor is dead")
    found = leftovers.find(directories, supervisor.pid())
    assert _pids(found) == running
    leftovers.end(found)
    assert leftovers.find(directories, None) == []


def test_a_process_that_begins_meanwhile_is_no_leftover(start, tmp_path, monkeypatch):
    """As a connection of Postgres that is made after a look at the supervisor's processes."""
    server = start(tmp_path / "here")
    monkeypatch.setattr(psutil.Process, "children", lambda self, recursive: [])
    assert leftovers.find([tmp_path / "here"], os.getpid()) == []
    assert _pids(leftovers.find([tmp_path / "here"], server.pid)) == {server.pid}


def test_a_shell_and_an_editor_in_the_folder_are_not_leftovers(start, tmp_path):
    start(tmp_path / "here", "/bin/sh", "-c", "read line")
    start(tmp_path / "here", "/bin/sleep", "3600")
    server = start(tmp_path / "here")
    assert _pids(leftovers.find([tmp_path / "here"], None)) == {server.pid}


def test_only_the_directories_themselves_count(start, tmp_path):
    start(tmp_path / "here" / "below")
    start(tmp_path / "here-too")
    start(tmp_path)
    (tmp_path / "here").mkdir(exist_ok=True)
    assert leftovers.find([tmp_path / "here"], None) == []


def test_a_home_behind_a_symbolic_link(start, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    server = start(tmp_path / "real" / "run")
    assert _pids(leftovers.find([tmp_path / "link" / "run"], None)) == {server.pid}


def test_processes_of_an_ended_supervisor_are_leftovers(start, tmp_path):
    gone = start(tmp_path / "elsewhere")
    gone.kill()
    gone.wait()
    server = start(tmp_path / "here")
    assert _pids(leftovers.find([tmp_path / "here"], gone.pid)) == {server.pid}


def test_no_directories_no_processes(tmp_path):
    assert leftovers.find([], None) == []
    assert leftovers.find([tmp_path / "absent"], None) == []


def test_a_process_that_ignores_its_stop_signal_is_killed(start, tmp_path, monkeypatch):
    patient = leftovers.wait
    monkeypatch.setattr(leftovers, "wait", lambda processes, timeout_s: patient(processes, min(timeout_s, 0.2)))
    stubborn = start(tmp_path / "here", code=_STUBBORN)
    leftovers.end([psutil.Process(stubborn.pid)])
    assert stubborn.wait(10) == -signal.SIGKILL


def test_an_ended_process_is_ignored(start, tmp_path):
    server = start(tmp_path / "here")
    found = leftovers.find([tmp_path / "here"], None)
    server.kill()
    server.wait()
    leftovers.end(found)


def test_leftovers_without_a_supervisor_are_reported_as_failed(start, home):
    home.prepare()
    home.save(home.load(), target="embedded", phase="ready", ports=dict.fromkeys(PORTS, 1))
    server = start(home.run / "caddy")
    stack = EmbeddedTarget(home).stack()
    caddy = stack.component("caddy")
    assert (caddy.state, caddy.pid) == ("failed", server.pid)
    assert caddy.detail.startswith(f"its supervisor is gone, pid {server.pid} still runs")
    assert stack.component("backend").state == "stopped"


def test_leftovers_and_hangs_are_reported_under_a_running_supervisor(start, supervisor, home):
    ports = dict.fromkeys(PORTS, net.free_port())
    home.save(home.load(), target="embedded", phase="ready", ports=ports)
    script = home.data / "silent.py"
    script.write_text(
        f"import socket, time\none = socket.create_server(('127.0.0.1', {ports['redis']}))\ntime.sleep(3600)"
    )
    supervisor.apply([Program("redis", [sys.executable, str(script)], home.run / "redis")])
    supervisor.start("redis")
    wait_until(lambda: not net.is_free(ports["redis"]), "it listens")
    stray = start(home.run / "backend")
    stack = EmbeddedTarget(home).stack()
    assert not stack.running
    hung, left = stack.component("redis"), stack.component("backend")
    assert (hung.state, hung.detail.partition(";")[0]) == ("failed", f"pid {hung.pid} hangs: no answer within 3 s")
    assert (left.state, str(stray.pid) in left.detail) == ("failed", True)
    assert "./deploy-local.sh ends it" in left.detail
