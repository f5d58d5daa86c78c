"""A wait that is bounded by progress."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import pytest

from plumbline import patience
from plumbline.patience import Patience
from plumbline.verification.throwaway import wait_until


@dataclass
class Clock:
    now: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def seconds_until_over(clock: Clock, waits: Patience, sign: Callable[[], object]) -> float:
    began = clock.now
    while not waits.is_over(sign):
        clock.now += 0.25
    return clock.now - began


def test_without_progress_it_ends_after_the_time_given(clock: Clock) -> None:
    assert seconds_until_over(clock, Patience(10, 60), lambda: "the same") == 10


def test_progress_prolongs_it_up_to_the_most(clock: Clock) -> None:
    numbers = itertools.count()
    assert seconds_until_over(clock, Patience(10, 60), lambda: next(numbers)) == 60


def test_it_ends_after_the_last_progress(clock: Clock) -> None:
    began = clock.now
    assert seconds_until_over(clock, Patience(10, 60), lambda: clock.now - began >= 7) == 17


def test_it_says_how_long_it_lasted(clock: Clock) -> None:
    waits = Patience(10)
    seconds_until_over(clock, waits, lambda: None)
    assert str(waits) == "10 s"


@pytest.fixture
def run() -> Iterator[Callable[[str], int]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> int:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", code]))
        return started[-1].pid

    yield start
    for process in started:
        for one in patience.family(process.pid):
            one.kill()
        process.wait()


def test_work_of_processes_below_counts(run: Callable[[str], int]) -> None:
    pid = run(f"import subprocess; subprocess.run([{sys.executable!r}, '-S', '-c', 'while True: pass'])")
    wait_until(lambda: len(patience.family(pid)) == 2, "it has started another")
    before = patience.work_of(pid)
    wait_until(lambda: patience.work_of(pid) > before + 0.1, "the other one works")
    wait_until(lambda: patience.activity_of(pid).is_busy, "it computes")
    assert not patience.activity_of(pid).is_suspended


def test_a_suspended_process_below_is_seen(run: Callable[[str], int]) -> None:
    pid = run(f"import subprocess; subprocess.run([{sys.executable!r}, '-S', '-c', 'import time; time.sleep(600)'])")
    wait_until(lambda: len(patience.family(pid)) == 2, "it has started another")
    patience.family(pid)[1].suspend()
    wait_until(lambda: patience.activity_of(pid).is_suspended, "it is suspended")


def test_a_process_that_is_gone_has_done_nothing() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not psutil.pid_exists(gone.pid)
    assert (patience.family(gone.pid), patience.work_of(gone.pid), patience.work_of(None)) == ([], 0.0, 0.0)
    assert patience.work_of(os.getpid()) > 0
