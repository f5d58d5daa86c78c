"""As many database connections as the stack can ever ask for, at its largest and in a rollout, Postgres has."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.manifests.model import Manifests, Workload

MAX_CONNECTIONS = 100
"""Postgres's own default, which our image keeps."""
KEPT_BACK = 3
"""superuser_reserved_connections."""
PASSING = 6
"""Migrations, waits, a probe or a person: connections that come and go."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield the sum if it is too large. A Postgres from elsewhere is somebody else's to size."""
    if "postgres" not in manifests.pods():
        return
    needed = connections(manifests)
    if needed > MAX_CONNECTIONS - KEPT_BACK:
        yield (
            f"up to {needed} database connections may be asked for, Postgres has {MAX_CONNECTIONS - KEPT_BACK}: fewer "
            "pods, or a smaller PLUMBLINE_POOL_SIZE"
        )


def connections(manifests: Manifests) -> int:
    """Return how many connections can be open at once: pods at most, and the rollout's, times processes and pool."""
    total = PASSING
    for component in ("backend", "data-processor"):
        workload = manifests.workload(component)
        environment = manifests.environment(workload.main)
        per_pod = int(environment["PLUMBLINE_WORKERS"]) * int(environment["PLUMBLINE_POOL_SIZE"])
        surge = workload.document["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        total += (pods(manifests, workload) + surge) * per_pod
    return total


def pods(manifests: Manifests, workload: Workload) -> int:
    """Return the most pods that there may be of a workload, rollouts aside."""
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == workload.document["metadata"]["name"]:
            return int(scaler["spec"]["maxReplicas"])
    return int(workload.document["spec"].get("replicas", 1))
