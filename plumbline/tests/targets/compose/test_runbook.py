"""The runbook on a stack of containers: every shell block of its pages, in order."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.targets.compose import engine
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


BUILDS = [
    block
    for block in runbook.blocks(ROOT / "docs" / "kubernetes.md", "compose")
    if "docker compose" in block.text and not block.skipped
]
"""The blocks of the cluster's page that build images."""


@pytest.fixture
def remove_images() -> Iterator[None]:
    before = _images()
    yield
    engine.docker("image", "rm", *(_images() - before))


def _images() -> set[str]:
    text = "".join(block.text for block in BUILDS)
    tags = {"local", *re.findall(r"PLUMBLINE_TAG=(\S+)", text)}
    found = engine.output("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return {one for one in found if "plumbline/" in one and one.rpartition(":")[2] in tags}


def test_images_for_a_cluster_are_built_as_its_page_says(checkout: Checkout, remove_images: None) -> None:
    assert len(BUILDS) == 2
    for block in BUILDS:
        checkout.run(block)
