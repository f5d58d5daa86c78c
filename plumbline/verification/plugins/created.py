"""Gives checks users of their own, and deletes afterwards what these have created, whatever became of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumbline.targets.base import Target
from plumbline.verification.checks import created
from plumbline.verification.checks.client import User
from plumbline.verification.plugins.stack import OWN

_LEFT = pytest.StashKey[list[created.Left]]()


@pytest.fixture(scope="session")
def run(target: Target, request: pytest.FixtureRequest) -> Iterator[created.Run]:
    """What this run creates in the stack."""
    stack = target.stack()
    left = created.delete_of_killed_runs(stack)
    this = created.Run(stack)
    try:
        yield this
    finally:
        left += this.delete()
        if request.config.stash.get(OWN, False):
            left += created.rows_left(stack)
        request.config.stash[_LEFT] = left


@pytest.fixture(scope="session")
def new_user(target: Target, run: created.Run) -> Callable[[], User]:
    """Makes a user with an account and a session of its own."""
    return lambda: User(target.stack(), run)


@pytest.fixture(scope="session")
def alice(new_user: Callable[[], User]) -> User:
    """A user."""
    return new_user()


@pytest.fixture(scope="session")
def bob(new_user: Callable[[], User]) -> User:
    """Another user."""
    return new_user()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a run fail that leaves something in the stack."""
    if session.config.stash.get(_LEFT, []):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what could not be deleted, and the way out."""
    left = config.stash.get(_LEFT, [])
    if left:
        terminalreporter.section(f"{len(left)} left behind")
        for one in left:
            terminalreporter.line(f"{one.what}: {one.reason}")
