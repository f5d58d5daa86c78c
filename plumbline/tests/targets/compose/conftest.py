"""A real stack of containers for the tests that need an engine: one per session, removed afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline import deploy
from plumbline.home import Home
from plumbline.targets.compose import engine
from plumbline.targets.compose.target import ComposeTarget


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """Skip where no engine answers; fail where one was promised."""
    missing = list(engine.problems())
    if missing and os.environ.get("PLUMBLINE_REQUIRE_ENGINE") == "1":
        pytest.fail(f"PLUMBLINE_REQUIRE_ENGINE is set: {'; '.join(missing)}", pytrace=False)
    if missing:
        pytest.skip("; ".join(missing))


@pytest.fixture
def home(docker_engine: None) -> Iterator[Home]:
    """A home whose stack is removed afterwards."""
    yield from _home()


@pytest.fixture(scope="session")
def running(docker_engine: None) -> Iterator[ComposeTarget]:
    """A stack that is up."""
    for home in _home():
        target = ComposeTarget(home, 0)
        deploy.up(home, target, "for the tests")
        yield target


def _home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="plumbline-"))
    home = Home(folder / "home")
    try:
        yield home
    finally:
        if home.exists:
            ComposeTarget(home).remove()
        shutil.rmtree(folder)
