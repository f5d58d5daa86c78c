"""What docs/kubernetes.md says in figures is what the manifests say."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from plumbline import ROOT
from plumbline.secret_files import SECRETS
from plumbline.targets.kubernetes import kustomize
from plumbline.targets.kubernetes.model import Container, Manifests
from plumbline.targets.kubernetes.quantity import parse
from plumbline.targets.kubernetes.requests import fewest_pods, of_all_pods, total
from plumbline.verification.manifests import capacity, variants
from plumbline.verification.manifests.checks import problems
from plumbline.verification.manifests.variants import Variant

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


def test_the_sizing_table_is_true() -> None:
    manifests = Manifests(variants.documents(Variant("production")))
    staying = [one for one in manifests.workloads() if one.document["kind"] != "Job"]
    processor = memory = 0.0
    for workload in staying:
        resources = workload.main.spec["resources"]
        environment = manifests.environment(workload.main)
        pods = fewest_pods(manifests, workload)
        processor += pods * float(parse(resources["requests"]["cpu"]))
        memory += pods * float(parse(resources["requests"]["memory"])) / 1024**2
        pool = environment.get("PLUMBLINE_POOL_SIZE")
        held = str(int(environment["PLUMBLINE_WORKERS"]) * int(pool)) if pool else ""
        requests, limits = resources["requests"], resources["limits"]
        cells = (workload.component, pods, requests["cpu"], requests["memory"], limits["memory"], held)
        row = "| " + " | ".join(map(str, cells)) + " |"
        assert row.replace("|  |", "| |") in PAGE, row
    assert f"Together {processor:.1f} processors and {memory:.0f}Mi requested" in PAGE


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_the_need_of_a_rollout_is_true(overlay: str) -> None:
    needed = total(of_all_pods(Manifests(variants.documents(Variant(overlay)))))
    assert str(needed) in " ".join(PAGE.split())


def test_the_connections_are_counted_right() -> None:
    overlays = [Manifests(variants.documents(Variant(name))) for name in ("local", "production")]
    small, large = map(capacity.connections, overlays)
    said = " ".join(PAGE.split())
    assert f"{small} in all with two pods each, {large} with autoscaling at its largest" in said
    assert {f"Postgres takes {capacity.limit(one)} connections" in PAGE for one in overlays} == {True}


def test_every_component_and_every_init_container_it_names_is_there() -> None:
    documents = Manifests(variants.documents(Variant("production")))
    containers = {one.name for workload in documents.workloads() for one in workload.containers}
    assert set(re.findall(r"-c (\S+?)`", PAGE)) <= containers
    assert set(re.findall(r"components/([a-z-]+)", PAGE)) <= {
        path.name for path in (ROOT / "k8s" / "components").iterdir()
    }


def test_the_patches_that_it_shows_do_what_it_says(tmp_path: Path) -> None:
    shown = [yaml.safe_load(textwrap.dedent(block)) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    overlay = kustomize.stage(tmp_path) / "production"
    for name in SECRETS:
        (overlay / "secrets" / name).write_text("stands in for a secret")
    index = overlay / "kustomization.yaml"
    content = yaml.safe_load(index.read_text())
    for one in shown:
        content["patches"] += one["patches"]
    index.write_text(kustomize.dump([content]))
    manifests = Manifests(kustomize.parse(kustomize.build(overlay)))
    assert problems(manifests) == []
    assert capacity.limit(manifests) == 250
    accounts = list(manifests.of("ServiceAccount"))
    assert [one.get("imagePullSecrets") for one in accounts] == [[{"name": "registry"}]] * len(accounts)


def test_every_image_that_production_runs_is_pushed_and_every_image_of_our_own_is_loaded() -> None:
    (pushed,) = {*re.findall(r"for image in (.*); do", PAGE)}
    of_production = {one.image for one in _containers("production") if one.image.startswith("plumbline/")}
    assert {f"plumbline/{name}" for name in pushed.split()} == of_production
    assert set(re.findall(r"(plumbline/[a-z-]+):local", PAGE)) == {one.image for one in _containers("local")}


def _containers(overlay: str) -> list[Container]:
    manifests = Manifests(variants.documents(Variant(overlay)))
    return [container for workload in manifests.workloads() for container in workload.containers]
