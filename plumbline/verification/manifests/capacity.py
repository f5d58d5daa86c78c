"""Postgres has room for every connection that the stack can open, at its largest and during a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline.components import POSTGRES, TABLE
from plumbline.targets.kubernetes.model import BACKUP, Manifests, Workload

KEPT_BACK = 3
"""superuser_reserved_connections."""
PASSING = 6
"""Connections that come and go: migrations, waits, a probe, a person."""
BACKING_UP = 2
"""Connections of a backup in the cluster: one holds the moment, one dumps."""
ENDING = 1
"""Pods of a workload that are being stopped by a rollout and still answer: Kubernetes does not count them as surge."""

_WORKERS_CONNECTIONS = 4
"""Of each process of a worker: one for the queue, one for its notifications, two for jobs."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield the sum if it is too large. Nothing is checked where Postgres is not part of the manifests."""
    if POSTGRES.name not in manifests.pods():
        return
    needed, there = connections(manifests), limit(manifests)
    if there is None:
        yield "max_connections of Postgres is not set"
    elif needed > there - KEPT_BACK:
        yield (
            f"up to {needed} database connections may be opened, Postgres has {there - KEPT_BACK}: run fewer pods, "
            "lower PLUMBLINE_POOL_SIZE, or raise max_connections"
        )


def limit(manifests: Manifests) -> int | None:
    """Return Postgres's max_connections, from its arguments or from its operator's resource; None if it is not set."""
    for cluster in manifests.of("Cluster"):
        said = cluster["spec"].get("postgresql", {}).get("parameters", {}).get("max_connections")
        return None if said is None else int(said)
    arguments = " ".join(manifests.workload(POSTGRES.name).main.spec.get("args", []))
    match = re.search(r"-c max_connections=(\d+)", arguments)
    return int(match[1]) if match else None


def connections(manifests: Manifests) -> int:
    """Return how many connections can be open at once: the most pods, with the rollout's, times processes and pool."""
    total = PASSING + (BACKING_UP if BACKUP in manifests.pods() else 0)
    for spec in (one for one in TABLE if POSTGRES.port.name in one.calls):
        workload = manifests.workload(spec.name)
        environment = manifests.environment(workload.main)
        per_process = _WORKERS_CONNECTIONS if spec.kind == "worker" else int(environment["PLUMBLINE_POOL_SIZE"])
        per_pod = int(environment.get("PLUMBLINE_WORKERS", "1")) * per_process
        surge = workload.document["spec"]["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
        total += (pods(manifests, workload) + surge + ENDING) * per_pod
    return total


def pods(manifests: Manifests, workload: Workload) -> int:
    """Return the most pods that a workload may have, without those of a rollout."""
    return _pods(manifests, workload, "maxReplicas")


def fewest_pods(manifests: Manifests, workload: Workload) -> int:
    """Return the fewest pods that a workload may have."""
    return _pods(manifests, workload, "minReplicas")


def _pods(manifests: Manifests, workload: Workload, bound: str) -> int:
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == workload.document["metadata"]["name"]:
            return int(scaler["spec"].get(bound, 1))
    return int(workload.document["spec"].get("replicas", 1))
