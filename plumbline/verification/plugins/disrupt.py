"""Lets marked checks disturb a stack that the suite brought up, and any other only with `--disrupt`."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from plumbline.verification.checks import disturbance


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that allows it."""
    parser.getgroup("plumbline").addoption(
        "--disrupt",
        action="store_true",
        help="also make the checks that stop, restart, kill or flood parts of a stack that is in use",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse what disturbs to a check that is not marked, and to what is set up for it."""
    if not _on_a_stack(item):
        return (yield)
    with disturbance.running(item.name, marked=_is_marked(item)):
        return (yield)


@pytest.fixture(autouse=True)
def _disturbance(request: pytest.FixtureRequest) -> None:
    """Skip a marked check where it may not be made."""
    if not _on_a_stack(request.node):
        return
    request.getfixturevalue("target")
    if _is_marked(request.node):
        disturbance.refuse_in_use()


def _on_a_stack(item: pytest.Item) -> bool:
    return "target" in getattr(item, "fixturenames", ())


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(disturbance.MARKER) is not None
