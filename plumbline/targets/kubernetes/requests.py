"""Processors and memory that pods request, and whether the nodes of a cluster have them free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from plumbline.targets.kubernetes.model import Manifests, Workload
from plumbline.targets.kubernetes.quantity import parse

_KEEPS_AWAY = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """Processors, and bytes of memory."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)

    @classmethod
    def read(cls, written: dict[str, Any]) -> Amount:
        """Return the amount in `requests` or `allocatable`; what is missing counts as 0."""
        return cls(parse(written.get("cpu", 0)), parse(written.get("memory", 0)))

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory)

    def __mul__(self, times: int) -> Amount:
        return Amount(self.cpu * times, self.memory * times)

    def __str__(self) -> str:
        return f"{self.cpu:.2f} processors and {self.memory / 1024**2:.0f} MiB of memory"

    def fits(self, there: Amount) -> bool:
        """Return whether `there` is as much, or more."""
        return self.cpu <= there.cpu and self.memory <= there.memory

    def at_least(self, other: Amount) -> Amount:
        """Return the larger of each."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory))


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum."""
    return sum(amounts, Amount())


def of_pod(spec: dict[str, Any]) -> Amount:
    """Return what the scheduler reserves for a pod: the sum of its containers, or an init container that needs more."""
    first = spec.get("initContainers", [])
    staying = [one for one in first if one.get("restartPolicy") == "Always"]
    found = total(_requests(one) for one in [*spec.get("containers", []), *staying])
    for one in first:
        found = found.at_least(_requests(one))
    return found + Amount.read(spec.get("overhead", {}))


def _requests(container: dict[str, Any]) -> Amount:
    return Amount.read(container.get("resources", {}).get("requests", {}))


def fewest_pods(manifests: Manifests, workload: Workload) -> int:
    """Return the fewest pods that a workload may have."""
    return _pods(manifests, workload, "minReplicas")


def most_pods(manifests: Manifests, workload: Workload) -> int:
    """Return the most pods that a workload may have, without those of a rollout."""
    return _pods(manifests, workload, "maxReplicas")


def _pods(manifests: Manifests, workload: Workload, bound: str) -> int:
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == workload.document["metadata"]["name"]:
            return int(scaler["spec"].get(bound, 1))
    return int(workload.document["spec"].get("replicas", 1))


def surge(workload: Workload) -> int:
    """Return how many pods a rollout adds while the old ones still run."""
    if workload.document["kind"] != "Deployment":
        return 0
    return int(workload.document["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0))


def of_all_pods(manifests: Manifests) -> list[Amount]:
    """Return the request of each pod that there is at once while a release with migrations is rolled out."""
    found = []
    for workload in manifests.workloads():
        number = 1 if workload.ends else fewest_pods(manifests, workload) + surge(workload)
        found += [of_pod(workload.pod)] * number
    for cluster in manifests.of("Cluster"):
        found += [_requests(cluster["spec"])] * int(cluster["spec"]["instances"])
    return found


def lacking(manifests: Manifests, nodes: list[dict[str, Any]], running: list[dict[str, Any]]) -> str:
    """Return why the pods find no place on the nodes, "" if they do. `running` are the pods of others."""
    free = {node["metadata"]["name"]: Amount.read(node["status"]["allocatable"]) for node in nodes if _takes_pods(node)}
    for pod in running:
        if (name := pod["spec"].get("nodeName")) in free and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            free[name] -= of_pod(pod["spec"])
    wanted = of_all_pods(manifests)
    left = list(free.values())
    for one in sorted(wanted, reverse=True):
        place = max((place for place, there in enumerate(left) if one.fits(there)), key=left.__getitem__, default=None)
        if place is None:
            needed = f"it requests {total(wanted)}, with the pods that a rollout adds"
            return f"{needed}; free are {', '.join(_named(free)) or 'no nodes'}"
        left[place] -= one
    return ""


def _named(free: dict[str, Amount]) -> Iterator[str]:
    return (f"{there} on {name}" for name, there in free.items())


def _takes_pods(node: dict[str, Any]) -> bool:
    spec = node.get("spec", {})
    return not spec.get("unschedulable") and not any(one["effect"] in _KEEPS_AWAY for one in spec.get("taints", []))
