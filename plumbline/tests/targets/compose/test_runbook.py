"""The runbook on a stack of containers: every shell block of its pages, in order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.tests import runbook
from plumbline.tests.runbook import Block, Checkout

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def checkout(docker_engine: None) -> Iterator[Checkout]:
    with tempfile.TemporaryDirectory(prefix="plumbline-runbook-") as folder:
        yield from runbook.checkout(Path(folder), "compose")


@pytest.mark.parametrize("block", runbook.runbook("compose"))
def test_a_block_of_the_runbook(checkout: Checkout, block: Block) -> None:
    checkout.run(block)
