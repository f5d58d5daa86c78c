"""As many database connections as the stack can ever ask for, at its largest and in a rollout, Postgres has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline.targets.kubernetes.model import Manifests, Workload

KEPT_BACK = 3
"""superuser_reserved_connections."""
PASSING = 6
"""Migrations, waits, a probe or a person: connections that come and go."""


ENDING = 1
"""Pods of a workload that a rollout has told to end, and that still answer: Kubernetes does not count them as surge."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield the sum if it is too large. A Postgres from elsewhere is somebody else's to size."""
    if "postgres" not in manifests.pods():
        return
    needed, there = connections(manifests), limit(manifests)
    if there is None:
        yield "nothing says how many connections Postgres takes: max_connections"
    elif needed > there - KEPT_BACK:
        yield (
            f"up to {needed} database connections may be asked for, Postgres has {there - KEPT_BACK}: fewer pods, a "
            "smaller PLUMBLINE_POOL_SIZE, or a larger max_connections"
        )


def limit(manifests: Manifests) -> int | None:
    """Return Postgres's max_connections, from its arguments or from its operator's resource; None if it is unsaid."""
    for cluster in manifests.of("Cluster"):
        said = cluster["spec"].get("postgresql", {}).get("parameters", {}).get("max_connections")
        return None if said is None else int(said)
    arguments = " ".join(manifests.workload("postgres").main.spec.get("args", []))
    match = re.search(r"-c max_connections=(\d+)", arguments)
    return int(match[1]) if match else None


def connections(manifests: Manifests) -> int:
    """Return how many connections can be open at once: pods at most, and the rollout's, times processes and pool."""
    total = PASSING
    for component in ("backend", "data-processor"):
        workload = manifests.workload(component)
        environment = manifests.environment(workload.main)
        per_pod = int(environment["PLUMBLINE_WORKERS"]) * int(environment["PLUMBLINE_POOL_SIZE"])
        surge = workload.document["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        total += (pods(manifests, workload) + surge + ENDING) * per_pod
    return total


def pods(manifests: Manifests, workload: Workload) -> int:
    """Return the most pods that there may be of a workload, rollouts aside."""
    return _pods(manifests, workload, "maxReplicas")


def fewest_pods(manifests: Manifests, workload: Workload) -> int:
    """Return the fewest pods that a workload is meant to have."""
    return _pods(manifests, workload, "minReplicas")


def _pods(manifests: Manifests, workload: Workload, bound: str) -> int:
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == workload.document["metadata"]["name"]:
            return int(scaler["spec"].get(bound, 1))
    return int(workload.document["spec"].get("replicas", 1))
