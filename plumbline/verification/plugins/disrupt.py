"""Permits marked checks to disrupt the suite's own stack, and other stacks only with `--disrupt`."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from plumbline.verification.checks import disruption


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--disrupt`."""
    parser.getgroup("plumbline").addoption(
        "--disrupt",
        action="store_true",
        help="also run the checks that stop, restart, kill or flood parts of a stack in use",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse disruptive actions to unmarked checks and their fixtures."""
    if not _on_a_stack(item):
        return (yield)
    with disruption.running(item.name, marked=_is_marked(item)):
        return (yield)


@pytest.fixture(autouse=True)
def _disruption(request: pytest.FixtureRequest) -> None:
    """Skip a marked check if it may not disrupt the stack."""
    if not _on_a_stack(request.node):
        return
    request.getfixturevalue("target")
    if _is_marked(request.node):
        disruption.refuse_in_use()


def _on_a_stack(item: pytest.Item) -> bool:
    return "target" in getattr(item, "fixturenames", ())


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(disruption.MARKER) is not None
