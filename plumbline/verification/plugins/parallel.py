"""Shares the tests of `pytest -n NUMBER` out to several processes, each with servers and ports of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from types import FrameType
from typing import Any

import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

from plumbline.net import use_ports

_FOLDERS = ("plumbline/tests/targets/compose/", "plumbline/tests/verification/docs/")
"""Folders whose tests share a process: all that use the machine's one engine, and the copies of the checkout."""
_END_S = 50.0
"""How long an interrupted session waits for its processes to stop what they started. Nox waits 60 s for the session."""
_EARLY = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
_CHANNELS = pytest.StashKey[list[Any]]()


def group(nodeid: str) -> str:
    """Return what has a process in common: a file, or one of some folders."""
    return next((folder for folder in _FOLDERS if nodeid.startswith(folder)), nodeid.partition("::")[0])


class _Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives whole groups to processes, in the order of the command line."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep together what shares fixtures: a process would start them again."""
    config.option.loadscopereorder = False
    return _Groups(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: Any) -> None:
    """Remember how to wait for a process."""
    node.config.stash.setdefault(_CHANNELS, []).append(node.channel)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """If tests still run, interrupt them, and wait until their fixtures have stopped what they started.

    Otherwise xdist kills the processes after ten seconds; in the first five of them it waits for the running tests.
    """
    running = [channel for channel in session.config.stash.get(_CHANNELS, []) if not channel.isclosed()]
    if not running or exitstatus not in _EARLY:
        return
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    until = time.monotonic() + _END_S
    for channel in running:
        with contextlib.suppress(EOFError, channel.TimeoutError, channel.RemoteError):
            channel.waitclose(max(0.0, until - time.monotonic()))


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # Ctrl-C reaches every process of a terminal, and then the first one interrupts the others.
    signal.signal(signal.SIGINT, lambda *_: None)
    raise KeyboardInterrupt


def pytest_configure() -> None:
    """Give each process ports of its own, and let one interruption be enough."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        use_ports(int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
        signal.signal(signal.SIGINT, _interrupt_once)
