"""Rendered manifests, to be looked at and to be broken."""

from __future__ import annotations

import pytest

from plumbline.targets.kubernetes import kustomize
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import variants


@pytest.fixture(autouse=True)
def needs_a_tool() -> None:
    if kustomize.tool() is None:
        pytest.skip(kustomize.NO_TOOL)


@pytest.fixture
def production() -> Manifests:
    """The production overlay with monitoring, which has something of everything. Free to be broken."""
    return Manifests(variants.documents(variants.Variant("production", ("backups", "monitoring"))))
