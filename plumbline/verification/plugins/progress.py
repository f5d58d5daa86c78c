"""Tells of a check that takes a while: one line with what it waits for, and how long it usually takes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator

import pytest

from plumbline.verification import waiting
from plumbline.verification.plugins.report import usual_seconds
from plumbline.verification.report import sentences, usual

_AFTER_S = 5.0
_TERMINAL = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the terminal, which pytest takes away while a check runs; processes of xdist have none."""
    if hasattr(config, "workerinput"):
        return
    try:
        config.stash[_TERMINAL] = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # output is collected in memory
        return
    config.add_cleanup(lambda: os.close(config.stash[_TERMINAL]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Print a check's line if it is still at work after some seconds."""
    terminal = item.config.stash.get(_TERMINAL, None)
    if terminal is None:
        return (yield)
    timer = threading.Timer(_AFTER_S, lambda: os.write(terminal, line(item).encode()))
    timer.daemon = True
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def line(item: pytest.Item) -> str:
    """Return the line of a check that has not ended yet."""
    reason = waiting.reason()
    took = usual_seconds(item.config, item.nodeid)
    usually = f"usually takes {usual.words(took)}" if took else f"more than {_AFTER_S:g} s"
    about = f", waits for: {reason}" if reason else ""
    return f"\n  {sentences.claim(item.nodeid)}: {usually}{about}\n"
