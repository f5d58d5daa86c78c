"""Postgres has room for every connection, and the node of a local cluster for every pod, also during a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline.components import POSTGRES, TABLE
from plumbline.targets.kubernetes.model import BACKUP, Manifests
from plumbline.targets.kubernetes.quantity import parse
from plumbline.targets.kubernetes.requests import Amount, most_pods, of_all_pods, surge, total

KEPT_BACK = 3
"""superuser_reserved_connections."""
PASSING = 6
"""Connections that come and go: migrations, waits, a probe, a person."""
BACKING_UP = 2
"""Connections of a backup in the cluster: one holds the moment, one dumps."""
ENDING = 1
"""Pods of a workload that are being stopped by a rollout and still answer: Kubernetes does not count them as surge."""

_NODE_CPU, _NODE_MEMORY = "plumbline/node-cpu", "plumbline/node-memory"
"""Annotations of an overlay's Namespace: the size of the only node that it is for."""
OF_THE_SYSTEM = Amount(parse("950m"), parse("290Mi"))
"""Requests of a control plane made by kubeadm, with two pods of CoreDNS and a network, as on a node of kind."""

_WORKERS_CONNECTIONS = 4
"""Of each process of a worker: one for the queue, one for its notifications, two for jobs."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield each sum that is too large. Connections are not checked where Postgres is not part of the manifests."""
    yield from _room(manifests)
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
    found = PASSING + (BACKING_UP if BACKUP in manifests.pods() else 0)
    for spec in (one for one in TABLE if POSTGRES.port.name in one.calls):
        workload = manifests.workload(spec.name)
        environment = manifests.environment(workload.main)
        per_process = _WORKERS_CONNECTIONS if spec.kind == "worker" else int(environment["PLUMBLINE_POOL_SIZE"])
        per_pod = int(environment.get("PLUMBLINE_WORKERS", "1")) * per_process
        found += (most_pods(manifests, workload) + surge(workload) + ENDING) * per_pod
    return found


def _room(manifests: Manifests) -> Iterator[str]:
    """Yield what is missing on the node that an overlay says it is for, with the pods of its control plane."""
    (namespace,) = manifests.of("Namespace")
    told = namespace["metadata"].get("annotations", {})
    if _NODE_CPU not in told:
        return
    node = Amount(parse(told[_NODE_CPU]), parse(told[_NODE_MEMORY]))
    needed = total(of_all_pods(manifests))
    if not (needed + OF_THE_SYSTEM).fits(node):
        yield (
            f"a rollout does not fit the node of this overlay: its pods request {needed}, those of the system "
            f"{OF_THE_SYSTEM}, the node has {node}"
        )
