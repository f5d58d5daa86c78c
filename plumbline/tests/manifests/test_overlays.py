"""Every overlay, and every component, is without a fault."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from plumbline.errors import PlumblineError
from plumbline.manifests import order, render
from plumbline.manifests.checks import problems
from plumbline.manifests.model import Manifests
from plumbline.manifests.render import Variant
from plumbline.plan import PLAN


@pytest.mark.parametrize("variant", render.variants(), ids=str)
def test_nothing_is_wrong(variant: Variant) -> None:
    assert problems(Manifests(render.documents(variant))) == []


def test_every_component_is_rendered() -> None:
    rendered = {component for variant in render.variants() for component in variant.components}
    assert rendered == {"cloudnative-pg", "external-postgres", "monitoring"}
    documents = render.documents(Variant("production"))
    assert {"Ingress", "HorizontalPodAutoscaler"} <= {one["kind"] for one in documents}


def test_the_order_of_the_manifests_is_the_plans() -> None:
    planned = [step.name for step in PLAN]
    derived = order.derived(Manifests(render.documents(Variant("local"))))
    assert all(planned.index(before) < planned.index(after) for before, after in derived)
    assert {*pairwise(order.CHAIN), ("redis", "log-sink")} <= derived


def test_a_rendering_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match=r"local cannot be rendered: (.|\n)*postgres_password"):
        render.build(render.stage(tmp_path) / "local")


def test_no_secret_of_the_checkout_is_read() -> None:
    secret = next(Manifests(render.documents(Variant("local"))).of("Secret"))["metadata"]["name"]
    values = Manifests(render.documents(Variant("local"))).data("Secret", secret)
    assert set((values or {}).values()) == {"stands in for a secret"}
