"""What the check of priority sees."""

from __future__ import annotations

from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests

from .parts import Break, cluster, doc, main, pod


def _one_of(manifests: Manifests, name: str, key: str) -> Document:
    """A variable from one key of a ConfigMap."""
    reference = {"name": doc(manifests, "ConfigMap", name)["metadata"]["name"], "key": key}
    return {"name": key, "valueFrom": {"configMapKeyRef": reference}}


BREAKS: list[Break] = [
    ("postgres has priority 0", lambda m: pod(m, "postgres").pop("priorityClassName")),
    ("redis has priority 0", lambda m: pod(m, "redis").pop("priorityClassName")),
    ("caddy has priority 0", lambda m: pod(m, "caddy").pop("priorityClassName")),
    ("job/migrate has priority 0", lambda m: pod(m, "migrate").pop("priorityClassName")),
    (
        "postgres has priority 1000, and pods that wait for it 1000",
        lambda m: pod(m, "worker").update(priorityClassName="plumbline-first"),
    ),
    (
        "there is no PriorityClass important",
        lambda m: pod(m, "redis").update(priorityClassName="important"),
    ),
    (
        "takes no place from a pod",
        lambda m: doc(m, "PriorityClass", "plumbline-first").update(preemptionPolicy="Never"),
    ),
    (
        "is the default of other pods",
        lambda m: doc(m, "PriorityClass", "plumbline-first").update(globalDefault=True),
    ),
    (
        "redis restarts with each change of PLUMBLINE_STACK_ID",
        lambda m: main(m, "redis")["env"].append(_one_of(m, "stack", "PLUMBLINE_REDIS_PASSWORD_FILE")),
    ),
    (
        "postgres restarts with each change of PLUMBLINE_POOL_SIZE",
        lambda m: main(m, "postgres").update(
            envFrom=[{"configMapRef": {"name": doc(m, "ConfigMap", "services")["metadata"]["name"]}}]
        ),
    ),
]

BREAKS_OF_A_CLUSTER: list[Break] = [
    ("cluster/postgres has priority 0", lambda m: cluster(m).pop("priorityClassName")),
]
