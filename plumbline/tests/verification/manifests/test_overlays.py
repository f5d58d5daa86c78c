"""Every overlay, and every component, is without a fault."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from plumbline.errors import PlumblineError
from plumbline.plan import PLAN
from plumbline.targets.kubernetes import kustomize
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import order, variants
from plumbline.verification.manifests.checks import problems
from plumbline.verification.manifests.variants import Variant


@pytest.mark.parametrize("variant", variants.variants(), ids=str)
def test_nothing_is_wrong(variant: Variant) -> None:
    assert problems(Manifests(variants.documents(variant))) == []


def test_every_component_is_rendered() -> None:
    rendered = {component for variant in variants.variants() for component in variant.components}
    assert rendered == {"backups", "cloudnative-pg", "external-postgres", "monitoring"}
    documents = variants.documents(Variant("production"))
    assert {"Ingress", "HorizontalPodAutoscaler"} <= {one["kind"] for one in documents}


def test_the_order_of_the_manifests_is_the_plans() -> None:
    planned = [step.name for step in PLAN]
    derived = order.derived(Manifests(variants.documents(Variant("local"))))
    assert all(planned.index(before) < planned.index(after) for before, after in derived)
    assert {*pairwise(order.CHAIN), ("redis", "log-sink")} <= derived


def test_a_rendering_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match=r"local cannot be rendered: (.|\n)*postgres_password"):
        kustomize.build(kustomize.stage(tmp_path) / "local")


@pytest.mark.parametrize(
    "word",
    ["12345678e123", "12E3", "-1e3", "+.5e-2", "1_0e3", "089", "0o17", "0b1", "1.", "12", "0x1f", "true", "no", "null",
     "~", "2026-01-02", "12:30:45", ".inf", ".nan", "1e", "e12", "a1e3", "1-2", "v1", "0c7d2e9a4b16", "it's"],
)  # fmt: skip
def test_what_is_a_string_here_is_one_to_kubectl(word: str, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(
        kustomize.dump([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"word": word}}])
    )
    # Only strings are allowed in its pairs, and its reader is the one that kubectl's other commands have.
    index = {"resources": ["map.yaml"], "commonAnnotations": {"word": word}}
    (tmp_path / "kustomization.yaml").write_text(kustomize.dump([index]))
    (built,) = kustomize.parse(kustomize.build(tmp_path))
    assert built["metadata"]["annotations"]["word"] == built["data"]["word"] == word


def test_no_secret_of_the_checkout_is_read() -> None:
    secret = next(Manifests(variants.documents(Variant("local"))).of("Secret"))["metadata"]["name"]
    values = Manifests(variants.documents(Variant("local"))).data("Secret", secret)
    # Empty: the second value of a secret, which only a rotation sets.
    assert set((values or {}).values()) == {"stands in for a secret", ""}


def test_the_local_overlay_says_which_node_it_fits() -> None:
    namespace = next(Manifests(variants.documents(Variant("local"))).of("Namespace"))
    assert namespace["metadata"]["annotations"] == {"plumbline/node-cpu": "2", "plumbline/node-memory": "4Gi"}
