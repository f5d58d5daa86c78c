"""The watch: components that hang are started again, and log files stay small."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import psutil
import pytest

from plumbline.components import PORTS, TABLE
from plumbline.home import Home
from plumbline.net import free_port, is_free
from plumbline.patience import Activity
from plumbline.stack import Component
from plumbline.targets.embedded import liveness, watch
from plumbline.targets.embedded.liveness import Heartbeat, LivenessRequest
from plumbline.targets.embedded.supervisor import Program, Supervisor
from plumbline.targets.embedded.watch import ANSWER_S, EVERY_S, HangDetector
from plumbline.verification.throwaway import RedisServer, wait_until

FAILURES_MAX = watch.failures_of("backend")

ECHO = (
    "import socket, sys\n"
    "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "while True:\n"
    "    one, _ = listener.accept()\n"
    "    one.sendall(one.recv(100))\n"
    "    one.close()"
)


def test_it_takes_several_failures_in_a_row() -> None:
    detector, now = HangDetector(FAILURES_MAX), 0.0
    for reason in ["silent"] * (FAILURES_MAX - 1) + [None] + ["silent"] * (FAILURES_MAX - 1):
        now += EVERY_S
        assert not detector.observe(reason, now)
    assert detector.observe("silent", now + EVERY_S)
    assert not detector.observe("silent", now + 2 * EVERY_S), "it counts from zero"


def test_a_pause_of_the_machine_is_not_a_hang() -> None:
    detector = HangDetector(FAILURES_MAX)
    assert not any(detector.observe("silent", 10 * number * (EVERY_S + ANSWER_S)) for number in range(3 * FAILURES_MAX))


def test_servers_answer_and_those_that_hang_do_not(redis_server: RedisServer) -> None:
    ping = LivenessRequest(redis_server.port, b"PING\r\n")
    assert liveness.silent(ping) is None
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        assert liveness.all_hanging({"redis": (ping, redis_server.pid)}, 0.5) == {"redis": "no answer within 0.5 s"}
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    port = free_port()
    assert "refused" in str(liveness.silent(LivenessRequest(port, b"")))


SLOW = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    one, _ = listener.accept()
    until = time.process_time() + float(sys.argv[2])
    while time.process_time() < until:
        pass
    one.sendall(b"here")
"""
"""A server that computes so many seconds before it answers, as if it shared its core with many others."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Callable[[float], tuple[LivenessRequest, int]]]:
    with ExitStack() as started:

        def start(seconds: float) -> tuple[LivenessRequest, int]:
            port = free_port()
            process = started.enter_context(
                subprocess.Popen([sys.executable, "-S", "-c", SLOW, str(port), str(seconds)])
            )
            started.callback(process.kill)
            wait_until(lambda: not is_free(port), "it listens")
            return LivenessRequest(port, b"are you there?"), process.pid

        yield start


def test_the_answer_of_one_that_works_is_waited_for(
    slow: Callable[[float], tuple[LivenessRequest, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "MOST_S", 600.0)
    check, pid = slow(0.3)
    assert liveness.silent(check, 0.1) == "no answer within 0.1 s"
    assert liveness.hangs(check, pid, 0.1) is None


def test_one_that_works_and_never_answers_hangs(
    slow: Callable[[float], tuple[LivenessRequest, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "MOST_S", 0.5)
    check, pid = slow(3600)
    assert liveness.hangs(check, pid, 0.1) == "no answer within 0.1 s"


def test_one_that_neither_works_nor_answers_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(check: LivenessRequest, patience_s: float, may_wait: Callable[[], bool]) -> str:
        assert not may_wait()
        asked.append(check.port)
        return "no answer within 3 s"

    monkeypatch.setattr(liveness, "silent", silent)
    monkeypatch.setattr(liveness, "activity_of", lambda pid: Activity(1.0, is_busy=False, is_suspended=False))
    assert liveness.hangs(LivenessRequest(1, b""), os.getpid(), 3) == "no answer within 3 s"
    assert len(asked) == 2


def test_postgres_answers_without_a_password(postgres_server: object, home: Home) -> None:
    port = postgres_server.port  # type: ignore[attr-defined]
    asked = liveness.checks(home, dict.fromkeys(PORTS, 1) | {"postgres": port})
    assert liveness.silent(asked["postgres"]) is None


def test_a_worker_shows_that_it_lives_by_touching_a_file(home: Home) -> None:
    home.prepare()
    beat = liveness.heartbeat(home, "worker")
    assert "no heartbeat at" in str(liveness.silent(beat))
    beat.file.touch()
    assert liveness.silent(beat) is None
    os.utime(beat.file, (0, time.time() - liveness.HEARTBEAT_S - 1))
    assert "no heartbeat within 10 s" in str(liveness.silent(beat))


def test_a_component_hangs_after_the_time_that_the_table_says() -> None:
    for spec in TABLE:
        assert watch.failures_of(spec.name) * (EVERY_S + ANSWER_S) == spec.hangs_after_s


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.1)
    monkeypatch.setattr(watch, "YOUNG_S", 0.0)
    monkeypatch.setattr(watch.liveness, "silent", lambda check: _silent(check, 0.5))


_silent = liveness.silent


@pytest.fixture
def answering(home: Home, supervisor: Supervisor, soon: None) -> LivenessRequest:
    """A program called `one` that answers, and how to ask it."""
    home.prepare()
    script = home.data / "echo.py"
    script.write_text(ECHO)
    check = LivenessRequest(free_port(), b"are you there?")
    supervisor.apply([Program("one", [sys.executable, str(script), str(check.port)], home.run / "one")])
    supervisor.start("one")
    wait_until(lambda: _silent(check) is None, "it answers")
    return check


def looks(number: int, until: Callable[[], bool]) -> Callable[[], bool]:
    """Let the watch look so often, or until something is so."""
    left = iter(range(number))
    return lambda: next(left, None) is not None and not until()


def test_one_that_hangs_is_started_again(supervisor: Supervisor, answering: LivenessRequest) -> None:
    wait_until(lambda: supervisor.age("one") is not None, "it counts as running")
    hung = supervisor.component("one").pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    watch.keep_alive(
        "one", answering, supervisor, looks(50, lambda: supervisor.component("one").pid != hung), FAILURES_MAX
    )
    wait_until(lambda: supervisor.component("one").pid not in (hung, None), "another runs")
    wait_until(lambda: _silent(answering) is None, "and answers")


class Supervised:
    """A component that has been running for some seconds, and a process that is its own or another."""

    def __init__(self, age: float, pid: int) -> None:
        self._age, self._pid = age, pid

    def age(self, name: str) -> float:
        return self._age

    def component(self, name: str) -> Component:
        return Component(name, "running", pid=self._pid)


def start_of(age: float, pid: int, check: LivenessRequest | Heartbeat | None = None) -> watch.Start:
    return watch.Start("one", check or LivenessRequest(1, b""), Supervised(age, pid))  # type: ignore[arg-type]


def work() -> None:
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass


def test_one_that_works_may_start_for_long_on_a_busy_machine() -> None:
    start = start_of(watch.YOUNG_S + 1, os.getpid())
    for _ in range(3):
        work()
        assert not start.is_over()
    work()
    assert start_of(watch.STARTING_S + 1, os.getpid()).is_over()


def test_one_that_does_nothing_has_a_minute_to_start() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        wait_until(lambda: psutil.Process(idle.pid).status() == psutil.STATUS_SLEEPING, "it waits")
        start = start_of(watch.YOUNG_S + 1, idle.pid)
        wait_until(start.is_over, "it counts as hanging")
        assert not start_of(watch.YOUNG_S - 1, idle.pid).is_over()
        idle.communicate(b"\n")


def test_one_that_has_answered_is_not_starting() -> None:
    start = start_of(watch.YOUNG_S + 1, os.getpid())
    start.answered()
    work()
    assert start.is_over()


def test_a_heartbeat_of_the_process_before_is_no_answer_of_this_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "YOUNG_S", 0.0)
    start = start_of(liveness.HEARTBEAT_S / 2, os.getpid(), liveness.heartbeat(home, "worker"))
    start.answered()
    work()
    assert not start.is_over()


def test_one_that_was_stopped_stays_stopped(supervisor: Supervisor, answering: LivenessRequest) -> None:
    supervisor.stop("one")
    watch.keep_alive("one", answering, supervisor, looks(2 * FAILURES_MAX, lambda: False), FAILURES_MAX)
    assert supervisor.component("one").state == "stopped"


def test_a_log_that_is_large_is_moved_aside_and_its_writer_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOG_MAX_BYTES", 1000)
    home.prepare()
    log = home.logs / "caddy.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(5):
            writer.write(str(number).encode() * 2000)
            watch.rotate_logs(home.logs)
        writer.write(b"end")
    assert log.read_bytes() == b"end"
    assert sorted(path.name for path in home.logs.iterdir()) == ["caddy.log", "caddy.log.1", "caddy.log.2"]
    assert (home.logs / "caddy.log.1").read_bytes() == b"4" * 2000
    assert (home.logs / "caddy.log.2").read_bytes() == b"3" * 2000


def test_a_full_disk_does_not_end_the_watch(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(watch, "LOG_MAX_BYTES", 1000)
    monkeypatch.setattr(watch.shutil, "copyfile", full)
    home.prepare()
    log = home.logs / "caddy.log"
    log.write_bytes(b"0" * 2000)
    watch.rotate_logs(home.logs)
    assert log.stat().st_size == 2000, "what has no copy is not cut"


def test_one_that_hangs_is_killed_though_the_disk_is_full(soon: None, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []

    class Remembering:
        def age(self, name: str) -> float:
            return 1000.0

        def component(self, name: str) -> Component:
            return Component(name, "running", pid=1)

        def kill(self, name: str) -> None:
            killed.append(name)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("builtins.print", full)
    nothing_there = LivenessRequest(free_port(), b"")
    supervisor = cast(Supervisor, Remembering())
    watch.keep_alive("one", nothing_there, supervisor, looks(2 * FAILURES_MAX, lambda: False), FAILURES_MAX)
    assert killed == ["one", "one"]
