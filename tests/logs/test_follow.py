"""What the recorder holds, followed in a terminal: through the front door, across a restart of the log-sink."""

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
from plumbline.verification.checks.recorder import PATIENCE_S


def warned(stack: Stack, user: User) -> str:
    """Make the backend warn, and return the last word of what it says."""
    mark = f"mark-{secrets.token_hex(6)}"
    recorder.warn(stack, user, mark)
    return mark


@contextmanager
def followed(things: Iterator[Any]) -> Iterator[Callable[..., list[str]]]:
    """Read `things` on a thread; yields what returns the last words that came until all wanted ones were among them.

    Two processes of a service may hand over their entries in another order than they were asked in. What ends the
    reading is raised where the next id is wanted.
    """
    seen: queue.Queue[str | Exception] = queue.Queue()

    def read() -> None:
        try:
            for thing in things:
                if not isinstance(thing, str):
                    seen.put(thing["message"].rpartition(" ")[2])
        except Exception as error:
            seen.put(error)

    threading.Thread(target=read, daemon=True).start()

    def until(*wanted: str) -> list[str]:
        words: list[str] = []
        while not set(wanted) <= set(words):
            came = seen.get(timeout=PATIENCE_S)
            if isinstance(came, Exception):
                raise came
            words.append(came)
        return words

    yield until


def test_follow_shows_what_is_kept_and_then_what_comes(stack: Stack, alice: User) -> None:
    before = warned(stack, alice)
    with followed(operator.follow(stack, service="backend", level="warning")) as until:
        until(before)
        marks = [warned(stack, alice) for _ in range(3)]
        assert sorted(until(*marks)) == sorted(marks)


@pytest.mark.disrupt
def test_follow_goes_on_after_a_restart_without_gap_or_repeat(target: Target, stack: Stack, alice: User) -> None:
    before = warned(stack, alice)
    with followed(operator.follow(stack, service="backend")) as until:
        until(before)
        target.stop("log-sink")
        meanwhile = [warned(stack, alice) for _ in range(3)]
        target.start("log-sink")
        after = warned(stack, alice)
        assert sorted(until(*meanwhile, after)) == sorted([*meanwhile, after])


def test_the_command_follows(stack: Stack, alice: User) -> None:
    if not stack.home:
        raise NotGivenError("needs the stack's home (nobody has it of a remote stack)")
    command = [sys.executable, "-m", "plumbline", "logs", "--home", stack.home, "--json"]
    before = warned(stack, alice)
    with subprocess.Popen([*command, "--follow"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with followed(map(json.loads, process.stdout)) as until:
            until(before)
            after = warned(stack, alice)
            until(after)
        process.terminate()
    chosen = [*command, "--service", "backend", "--level", "warning"]
    shown = subprocess.run(chosen, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert any(json.loads(line)["message"].endswith(after) for line in shown)
    assert {(json.loads(line)["service"], json.loads(line)["level"]) for line in shown} == {("backend", "warning")}


@pytest.mark.disrupt
def test_the_command_reads_while_the_backend_is_away(target: Target, stack: Stack, alice: User) -> None:
    if not stack.home:
        raise NotGivenError("needs the stack's home (nobody has it of a remote stack)")
    before = warned(stack, alice)
    target.stop("backend")
    try:
        command = [sys.executable, "-m", "plumbline", "logs", "--home", stack.home, "--json"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    finally:
        target.start("backend")
    assert before in shown
