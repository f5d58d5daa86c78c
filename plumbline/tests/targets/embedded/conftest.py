"""A real supervisord, with small programs of Python for it to look after."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from plumbline.home import Home
from plumbline.targets.embedded import leftovers
from plumbline.targets.embedded.supervisor import Program, Supervisor

SLEEP = "import time; print('up', flush=True); time.sleep(3600)"


@pytest.fixture
def program(home: Home) -> Callable[..., Program]:
    """Makes a program that runs a line of Python in a directory of its own."""

    def make(name: str = "one", code: str = SLEEP, **changes: object) -> Program:
        given = {"directory": home.run / name, "stop_wait_s": 5} | changes
        return Program(name, [sys.executable, "-c", code], **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def supervised() -> Iterator[Callable[[Home], Supervisor]]:
    """Makes supervisors; their programs are ended after the test."""
    made: list[tuple[Supervisor, Home]] = []

    def make(home: Home) -> Supervisor:
        home.prepare()
        made.append((Supervisor(home), home))
        return made[-1][0]

    yield make
    for supervisor, home in made:
        with contextlib.suppress(psutil.Error):
            supervisor.shutdown()
        assert home.root.exists(), "a home that goes before its supervisor leaves that running"
        folders = [path for path in home.run.iterdir() if path.is_dir()]
        leftovers.end(leftovers.find(folders, None))


@pytest.fixture
def supervisor(home: Home, supervised: Callable[[Home], Supervisor]) -> Supervisor:
    return supervised(home)


def log_of(home: Home, name: str = "one") -> Path:
    return home.logs / f"{name}.log"
