"""`plumbline logs`, with and without `--follow`.

Protects from an operator at a terminal who does not see what happens.
"""

from __future__ import annotations

import json
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plumbline import ROOT
from plumbline import recorder as operator
from plumbline.errors import NotGivenError
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.checks.recorder import TIMEOUT_S


def log_warning(stack: Stack, user: User) -> str:
    """Make the backend log a warning; return its mark."""
    mark = f"mark-{secrets.token_hex(6)}"
    recorder.log_warnings(stack, user, mark)
    return mark


@contextmanager
def followed(entries: Iterator[Any]) -> Iterator[Callable[..., list[str]]]:
    """Read entries in a thread. Yield a function that waits for all given marks and returns those that arrived.

    Processes of a service may send their entries in another order. The function raises the thread's error, if any.
    """
    seen: queue.Queue[str | Exception] = queue.Queue()

    def read() -> None:
        try:
            for entry in entries:
                if not isinstance(entry, str):
                    seen.put(entry["message"].rpartition(" ")[2])
        except Exception as error:
            seen.put(error)

    threading.Thread(target=read, daemon=True).start()

    def until(*wanted: str) -> list[str]:
        words: list[str] = []
        while not set(wanted) <= set(words):
            try:
                came = seen.get(timeout=TIMEOUT_S)
            except queue.Empty:
                missing = ", ".join(sorted(set(wanted) - set(words)))
                raise AssertionError(f"no entry came for {TIMEOUT_S:g} s; missing: {missing}; seen: {words}") from None
            if isinstance(came, Exception):
                raise came
            words.append(came)
        return words

    yield until


def test_follow_yields_kept_and_then_new_entries(stack: Stack, alice: User) -> None:
    before = log_warning(stack, alice)
    with followed(operator.follow(stack, service="backend", level="warning")) as until:
        until(before)
        marks = [log_warning(stack, alice) for _ in range(3)]
        assert sorted(until(*marks)) == sorted(marks)


@pytest.mark.disrupt
def test_follow_resumes_after_a_restart_without_gap_or_repeat(target: Target, stack: Stack, alice: User) -> None:
    before = log_warning(stack, alice)
    with followed(operator.follow(stack, service="backend")) as until:
        until(before)
        target.stop("log-sink")
        meanwhile = [log_warning(stack, alice) for _ in range(3)]
        target.start("log-sink")
        after = log_warning(stack, alice)
        assert sorted(until(*meanwhile, after)) == sorted([*meanwhile, after])


def test_the_logs_command_follows(stack: Stack, alice: User) -> None:
    if not stack.home:
        raise NotGivenError("needs the stack's home (not available for a remote stack)")
    command = [sys.executable, "-m", "plumbline", "logs", "--home", stack.home, "--json"]
    before = log_warning(stack, alice)
    with subprocess.Popen([*command, "--follow"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with followed(map(json.loads, process.stdout)) as until:
            until(before)
            after = log_warning(stack, alice)
            until(after)
        process.terminate()
    chosen = [*command, "--service", "backend", "--level", "warning"]
    shown = subprocess.run(chosen, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert any(json.loads(line)["message"].endswith(after) for line in shown)
    assert {(json.loads(line)["service"], json.loads(line)["level"]) for line in shown} == {("backend", "warning")}


@pytest.mark.disrupt
def test_the_logs_command_works_while_the_backend_is_away(target: Target, stack: Stack, alice: User) -> None:
    if not stack.home:
        raise NotGivenError("needs the stack's home (not available for a remote stack)")
    before = log_warning(stack, alice)
    target.stop("backend")
    try:
        command = [sys.executable, "-m", "plumbline", "logs", "--home", stack.home, "--json"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    finally:
        target.start("backend")
    assert before in shown
