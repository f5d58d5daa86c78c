"""What others wait for gets a place on a node before them, and restarts only for changes of its own."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.components import SPECS
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload
from plumbline.verification.manifests.settings import read_by

_FIRST_KINDS = ("store", "front")


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything by which a pod could take the place of one that it waits for."""
    values = {one["metadata"]["name"]: int(one["value"]) for one in manifests.of("PriorityClass")}
    first: dict[str, int] = {}
    others: dict[str, int] = {}
    for name, is_first, spec in _pods(manifests):
        told = spec.get("priorityClassName")
        if told is not None and told not in values:
            yield f"{name}: there is no PriorityClass {told}, so no pod of it is created"
        (first if is_first else others)[name] = values.get(told or "", 0)
    highest = max(others.values(), default=0)
    for name, value in first.items():
        if value <= highest:
            yield f"{name} has priority {value}, and pods that wait for it {highest}: they could take its place"
    for one in manifests.of("PriorityClass"):
        if one.get("preemptionPolicy", "PreemptLowerPriority") != "PreemptLowerPriority":
            yield f"PriorityClass {one['metadata']['name']} takes no place from a pod that was there before"
        if one.get("globalDefault"):
            yield f"PriorityClass {one['metadata']['name']} is the default of other pods in the cluster, too"
    for workload in manifests.workloads():
        if workload.component in SPECS and SPECS[workload.component].kind == "store":
            yield from _restarted_by_others(manifests, workload)


def _pods(manifests: Manifests) -> Iterator[tuple[str, bool, Document]]:
    """Yield each resource that creates pods, whether others wait for these, and where its priority is."""
    for workload in manifests.workloads():
        spec = SPECS.get(workload.component)
        is_first = workload.document["kind"] == "Job" or (spec is not None and spec.kind in _FIRST_KINDS)
        yield workload.name, is_first, workload.pod
    for cluster in manifests.of("Cluster"):
        yield f"cluster/{cluster['metadata']['name']}", True, cluster["spec"]


def _restarted_by_others(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """A ConfigMap's name has a hash of its content, so each change of it replaces the pods that refer to it."""
    container = workload.main
    named = [one["configMapRef"]["name"] for one in container.spec.get("envFrom", []) if "configMapRef" in one]
    named += [
        one["valueFrom"]["configMapKeyRef"]["name"]
        for one in container.spec.get("env", [])
        if "configMapKeyRef" in one.get("valueFrom", {})
    ]
    for name in sorted({*named}):
        for key in sorted((manifests.data("ConfigMap", name) or {}).keys() - (read_by(container.image) or set())):
            yield f"{workload.name} restarts with each change of {key} in ConfigMap {name}, which it does not read"
