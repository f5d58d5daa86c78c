"""Lets marked checks disturb a stack that the suite brought up, and any other only with `--disrupt`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plumbline.checks import disturbance
from plumbline.errors import NotGivenError

OWN = pytest.StashKey[bool]()
"""Whether the suite brought up the stack that it proves."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that allows it."""
    parser.getgroup("plumbline").addoption(
        "--disrupt",
        action="store_true",
        help="also make the checks that stop, restart, kill or flood parts of a stack that is in use",
    )


@pytest.fixture(autouse=True)
def _disturbance(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse a marked check where it may not be made, and what disturbs in a check that is not marked."""
    if "target" not in request.fixturenames:
        yield
    elif request.node.get_closest_marker(disturbance.MARKER) is None:
        with disturbance.unmarked(request.node.name):
            yield
    else:
        request.getfixturevalue("target")
        if not request.config.stash.get(OWN, False) and not request.config.getoption("disrupt"):
            raise NotGivenError(disturbance.NOT_ALLOWED)
        yield
