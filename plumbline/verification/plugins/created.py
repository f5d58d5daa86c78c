"""Fixtures for users, and the deletion of what they created."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumbline.targets.base import Target
from plumbline.verification.checks import created
from plumbline.verification.checks.client import User
from plumbline.verification.plugins.stack import OWN

LEFT = pytest.StashKey[list[created.Leftover]]()


@pytest.fixture(scope="session")
def run(target: Target, request: pytest.FixtureRequest) -> Iterator[created.Run]:
    """Records what this run creates in the stack."""
    stack = target.stack()
    left = created.delete_leftovers_of_killed_runs(stack)
    this = created.Run(stack)
    try:
        yield this
    finally:
        left += this.delete()
        if request.config.stash.get(OWN, False):
            left += created.leftover_rows(stack)
        request.config.stash[LEFT] = left


@pytest.fixture(scope="session")
def new_user(target: Target, run: created.Run) -> Callable[..., User]:
    """Register a user. Arguments are those of `User`: `display_name` and `password`."""
    return lambda **account: User(target.stack(), run, **account)


@pytest.fixture(scope="session")
def alice(new_user: Callable[..., User]) -> User:
    """A user."""
    return new_user()


@pytest.fixture(scope="session")
def bob(new_user: Callable[..., User]) -> User:
    """Another user."""
    return new_user()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves something in the stack."""
    if session.config.stash.get(LEFT, []):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List what could not be deleted, and why."""
    left = config.stash.get(LEFT, [])
    if left:
        terminalreporter.section(f"{len(left)} not deleted")
        for one in left:
            terminalreporter.line(f"{one.what}: {one.reason}")
