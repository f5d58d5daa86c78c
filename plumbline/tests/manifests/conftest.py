"""Rendered manifests, to be looked at and to be broken."""

from __future__ import annotations

import pytest

from plumbline.manifests import render
from plumbline.manifests.model import Manifests


@pytest.fixture(autouse=True)
def needs_a_tool() -> None:
    if render.tool() is None:
        pytest.skip(render.NO_TOOL)


@pytest.fixture
def production() -> Manifests:
    """The production overlay with monitoring, which has something of everything. Free to be broken."""
    return Manifests(render.documents(render.Variant("production", ("monitoring",))))
