"""Starts, stops and kills the pods of components."""

from __future__ import annotations

from typing import Any

from plumbline.components import SPECS
from plumbline.errors import StepError
from plumbline.targets.kubernetes import pods, waiting
from plumbline.targets.kubernetes.kubectl import Cluster

_REPLICAS = "plumbline/replicas"
"""Annotation with the number of pods that a stopped workload had."""
_KILL_ALL = "kill -9 -1"
# Process 1 of a container ignores SIGKILL from inside. SIGQUIT ends Postgres as a crash would.
_KILL_INIT = "kill -QUIT 1"


def start(cluster: Cluster, *components: str) -> None:
    """Start components with their former number of pods, and wait until each is ready. Raises StepError."""
    snapshot = pods.fetch(cluster)
    for name in components:
        _workload(snapshot, name)
    scale_up(cluster, *components)
    waiting.wait_ready(cluster, *components)


def scale_up(cluster: Cluster, *components: str) -> None:
    """Give stopped components their former number of pods."""
    snapshot = pods.fetch(cluster)
    for workload in [snapshot.workloads[name] for name in components if name in snapshot.workloads]:
        if workload["spec"].get("replicas", 1) == 0:
            _scale(cluster, workload, int(workload["metadata"].get("annotations", {}).get(_REPLICAS, "1")))


def stop(cluster: Cluster, *components: str) -> None:
    """Scale components to no pods, and wait until the pods have ended. Raises StepError."""
    snapshot = pods.fetch(cluster)
    for name in components:
        workload = _workload(snapshot, name)
        replicas = workload["spec"].get("replicas", 1)
        if replicas:
            cluster.output("annotate", "--overwrite", _name(workload), f"{_REPLICAS}={replicas}", component=name)
            _scale(cluster, workload, 0)
    waiting.wait_gone(cluster, *components)


def kill(cluster: Cluster, component: str) -> None:
    """Kill all processes of a component's pods; the kubelet restarts their containers."""
    command = _KILL_INIT if SPECS[component].is_init else _KILL_ALL
    for pod in pods.fetch(cluster).of(component):
        cluster.run("exec", pod["metadata"]["name"], f"--container={component}", "--", "sh", "-c", command)


def _workload(snapshot: pods.Snapshot, name: str) -> dict[str, Any]:
    workload = snapshot.workloads.get(name)
    if workload is None:
        raise StepError(f"{name} cannot be stopped or started here: an operator, or another party, runs it")
    return workload


def _scale(cluster: Cluster, workload: dict[str, Any], replicas: int) -> None:
    cluster.output("scale", _name(workload), f"--replicas={replicas}")


def _name(workload: dict[str, Any]) -> str:
    return f"{str(workload['kind']).lower()}/{workload['metadata']['name']}"
