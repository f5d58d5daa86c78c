"""What pods request, and whether it fits the nodes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from plumbline.targets.kubernetes.model import Manifests
from plumbline.targets.kubernetes.requests import Amount, lacking, of_all_pods, of_pod, total


def container(cpu: str, memory: str = "1Mi", **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


def deployment(name: str, replicas: int, cpu: str, surge: int = 0) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": name}
    spec = {
        "replicas": replicas,
        "strategy": {"rollingUpdate": {"maxSurge": surge}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container(cpu)]}},
    }
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def node(name: str, cpu: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": {"cpu": cpu, "memory": "1Gi"}}}


@pytest.mark.parametrize(
    ("first", "cpu"),
    [([], "0.3"), ([container("200m")], "0.3"), ([container("400m")], "0.4"),
     ([container("100m", restartPolicy="Always")], "0.4")],
)  # fmt: skip
def test_a_pod_needs_its_containers_or_one_that_runs_before(first: list[dict[str, Any]], cpu: str) -> None:
    spec = {"initContainers": first, "containers": [container("100m"), container("0.2")]}
    assert of_pod(spec).cpu == Decimal(cpu)


def test_a_rollout_counts_as_well() -> None:
    manifests = Manifests([deployment("a", 2, "100m", surge=1), deployment("b", 1, "1")])
    assert total(of_all_pods(manifests)) == Amount.read({"cpu": "1300m", "memory": "4Mi"})


def test_pods_need_a_node_that_takes_them_whole() -> None:
    manifests = Manifests([deployment("a", 1, "600m"), deployment("b", 1, "600m")])
    taint = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    assert lacking(manifests, [node("one", "1"), node("two", "600m")], []) == ""
    assert "free are 1.00 processors" in lacking(manifests, [node("one", "1"), node("two", "500m")], [])
    assert lacking(manifests, [node("one", "1"), node("two", "9", taints=taint)], [])
    assert lacking(manifests, [node("one", "1"), node("two", "9", unschedulable=True)], [])
    other = {"spec": {"nodeName": "one", "containers": [container("500m")]}, "status": {"phase": "Running"}}
    assert "free are 0.50 processors" in lacking(manifests, [node("one", "1"), node("two", "1")], [other])
    other["status"] = {"phase": "Succeeded"}
    assert lacking(manifests, [node("one", "1"), node("two", "1")], [other]) == ""
