"""Waits for pods, which end early where more patience would not help."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from plumbline.errors import StepError
from plumbline.patience import Patience
from plumbline.targets.kubernetes import pods
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.pods import Snapshot, is_lost, is_ready, trouble_of

PATIENCE_S = 300
"""How long pods may stay as they are while they start or end: long enough for a node to pull an image."""
NO_ROOM_S = 12
"""How long a pod may find no place while none ends: the scheduler tries again after ten seconds at most."""
_POLL_S = 0.5
_WAYS_OUT = {
    "ImagePullBackOff": "give the nodes the image: PLUMBLINE_REGISTRY, and imagePullSecrets if it needs a password",
    "ErrImageNeverPull": "the image is not on the node, which may not pull it: remove imagePullPolicy",
    "InvalidImageName": "correct the image's name in the overlay",
    "CreateContainerConfigError": "a ConfigMap, Secret or key that it names does not exist: nox -s manifests",
}
_MORE_ROOM = "stop other pods, add a node, or lower the requests in the overlay (docs/kubernetes.md, Sizing)"
_BEING_MADE = ("PersistentVolumeClaim", "persistentvolumeclaim")
"""In the scheduler's reason while a claim gets its disk."""
_NODE_COMES = frozenset({"TriggeredScaleUp", "Nominated"})
"""Reasons of events with which an autoscaler of nodes answers a pod without a place."""


def wait_ready(cluster: Cluster, *components: str) -> None:
    """Wait until every pod of the components is new and ready, and no old one is left. Raises StepError."""
    for name in components:
        patience, room = Patience(PATIENCE_S), Room(cluster, name)
        while (reason := _lacks(snapshot := pods.fetch(cluster), name)) is not None:
            room.require(snapshot.of(name))
            if patience.is_over(partial(str, reason)):
                raise StepError(f"{name} was not ready after {patience}: {reason}", component=name)
            time.sleep(_POLL_S)


def wait_gone(cluster: Cluster, *components: str) -> None:
    """Wait until no pod of the components is left. Raises StepError."""
    for name in components:
        patience = Patience(PATIENCE_S)
        while left := pods.fetch(cluster).of(name):
            if patience.is_over(partial(len, left)):
                raise StepError(f"{left[0]['metadata']['name']} did not end within {patience}", component=name)
            time.sleep(_POLL_S)


class Room:
    """Ends the wait for a pod that the scheduler finds no node for, unless room is being made for it."""

    def __init__(self, cluster: Cluster, component: str) -> None:
        self._cluster = cluster
        self._component = component
        self._since: float | None = None

    def require(self, waiting: list[dict[str, Any]]) -> None:
        """Look at the pods that are waited for. Raises StepError with the scheduler's reason."""
        without = [pod for pod in waiting if _is_final(pod)]
        if not without or any(map(_makes_room, pods.fetch(self._cluster).pods)):
            self._since = None
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
        name = without[0]["metadata"]["name"]
        if now - self._since >= NO_ROOM_S and not self._gets_a_node(name):
            words = f"{name} finds no node: {unscheduled(without[0])}"
            raise StepError(words, component=self._component, hint=_MORE_ROOM)

    def _gets_a_node(self, pod: str) -> bool:
        try:
            events = self._cluster.items("events", f"--field-selector=involvedObject.name={pod}")
        except StepError:
            return False
        return any(one.get("reason") in _NODE_COMES for one in events)


def _makes_room(pod: dict[str, Any]) -> bool:
    """Return whether a pod is ending."""
    return bool(pod["metadata"].get("deletionTimestamp")) and not is_lost(pod)


def _is_final(pod: dict[str, Any]) -> bool:
    """Return whether the scheduler found no node, and neither evicts other pods nor waits for a disk."""
    reason = unscheduled(pod)
    return bool(reason) and "nominatedNodeName" not in pod["status"] and not any(one in reason for one in _BEING_MADE)


def unscheduled(pod: dict[str, Any]) -> str:
    """Return the scheduler's reason why a pod has no node, "" if it has one."""
    for one in pod["status"].get("conditions", []):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return " ".join(str(one.get("message") or one.get("reason")).split())
    return ""


def _lacks(snapshot: Snapshot, name: str) -> str | None:
    # A pod on a lost node stays until the node answers, or is deleted.
    found = [pod for pod in snapshot.of(name) if not is_lost(pod)]
    for pod in found:
        words, code = trouble_of(pod)
        if words and not pod["metadata"].get("deletionTimestamp"):
            way_out = next((hint for reason, hint in _WAYS_OUT.items() if reason in words), None)
            raise StepError(f"{pod['metadata']['name']}: {words}", component=name, exit_code=code, hint=way_out)
    workload = snapshot.workloads.get(name)
    if workload is None:
        return "it has no pods" if not found else _unready(found)
    status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return "the cluster has not processed it yet"
    said, unready = "", _unready(found)
    if status.get("updatedReplicas", 0) < wanted:
        said = f"{status.get('updatedReplicas', 0)} of {wanted} pods are new"
    elif len(found) > wanted:
        said = "old pods have not ended yet"  # they may still receive requests
    return ", ".join(filter(None, [said, unready])) or None


def _unready(found: list[dict[str, Any]]) -> str | None:
    unready = [f"{pod['metadata']['name']}{why(pod)}" for pod in found if not is_ready(pod)]
    return f"not ready: {', '.join(unready)}" if unready else None


def why(pod: dict[str, Any]) -> str:
    """Return in brackets what a pod waits for: a node with capacity, or a container that has not ended or started."""
    status = pod["status"]
    if reason := unscheduled(pod):
        return f" ({reason})"
    for one in status.get("initContainerStatuses", []):
        if "running" in one.get("state", {}):
            return f" ({one['name']} is running)"
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if reason := one.get("state", {}).get("waiting", {}).get("reason"):
            return f" ({one['name']}: {reason})"
    return ""
