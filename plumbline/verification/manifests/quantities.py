"""Processor, memory and storage are requested and limited, well-formed, and no request is above its limit."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.components import COMPONENTS
from plumbline.targets.kubernetes.model import Manifests, Workload
from plumbline.targets.kubernetes.quantity import parse


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every quantity that is malformed, missing, or contradicts another."""
    for workload in manifests.workloads():
        wrong = [
            f"{workload.name} {what}: {size!r} is no quantity above 0"
            for what, size in _sizes(workload)
            if not _is_positive(size)
        ]
        yield from wrong or _contradictions(workload)
    for claim in manifests.of("PersistentVolumeClaim"):
        size = claim["spec"]["resources"]["requests"].get("storage")
        if not _is_positive(size):
            yield f"PersistentVolumeClaim {claim['metadata']['name']} storage: {size!r} is no quantity above 0"


def _sizes(workload: Workload) -> Iterator[tuple[str, object]]:
    for container in workload.containers:
        resources = container.spec.get("resources", {})
        for kind in ("requests", "limits"):
            for name in ("cpu", "memory"):
                yield f"{container.name} {name} in {kind}", resources.get(kind, {}).get(name)
    for volume in workload.pod.get("volumes", []):
        if "emptyDir" in volume:
            yield f"volume {volume['name']} sizeLimit", (volume["emptyDir"] or {}).get("sizeLimit")
    for claim in workload.document["spec"].get("volumeClaimTemplates", []):
        yield "claim", claim["spec"]["resources"]["requests"].get("storage")


def _is_positive(quantity: object) -> bool:
    try:
        return parse(quantity) > 0
    except ValueError:
        return False


def _contradictions(workload: Workload) -> Iterator[str]:
    for container in workload.containers:
        requests, limits = container.spec["resources"]["requests"], container.spec["resources"]["limits"]
        for name in ("cpu", "memory"):
            if name == "cpu" and container.name in COMPONENTS and parse(limits[name]) < 1:
                yield f"{workload.name} {container.name}: its cpu limit {limits[name]} is below 1, so it may not start"
            if parse(requests[name]) > parse(limits[name]):
                yield f"{workload.name} {container.name} requests more {name} ({requests[name]}) than {limits[name]}"
    # A volume in memory counts as memory of the container that writes to it.
    empty = [one["emptyDir"] for one in workload.pod.get("volumes", []) if one.get("emptyDir")]
    written = sum(parse(one["sizeLimit"]) for one in empty if one.get("medium") == "Memory")
    limit = workload.main.spec["resources"]["limits"]["memory"]
    if 2 * written > parse(limit):
        yield f"{workload.name}: its volumes in memory may take more than half of its memory, {limit}"
