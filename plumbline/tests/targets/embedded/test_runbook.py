"""The runbook on a stack of processes: every shell block of its pages, in order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.tests import runbook
from plumbline.tests.runbook import Block, Checkout


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    with tempfile.TemporaryDirectory(prefix="plumbline-runbook-") as folder:
        Path(folder).chmod(0o755)  # so that Postgres's account can enter
        yield from runbook.checkout(Path(folder), "embedded")


def test_the_tutorial_can_be_followed_in_one_shell(checkout: Checkout) -> None:
    """Its blocks are run once more below: then this stack has been used, and numbers are others."""
    checkout.follow("tutorial.md", "embedded")


@pytest.mark.parametrize("block", runbook.runbook("embedded"))
def test_a_block_of_the_runbook(checkout: Checkout, block: Block) -> None:
    checkout.run(block)
