"""The stack's workloads and pods, as the cluster reports them and as components of a stack."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from textwrap import shorten
from typing import Any

from plumbline.components import COMPONENTS, START_IN_IMAGE
from plumbline.errors import StepError
from plumbline.inside import CONTAINER_PORTS, SCRIPT, Inside, Listener, Process, read
from plumbline.patience import Patience
from plumbline.stack import Component
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import COMPONENT

PATIENCE_S = 300
"""How long pods may stay as they are while they start or end: long enough for a node to pull an image."""
_POLL_S = 0.5
_FATAL_REASONS = frozenset(
    {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
     "ImagePullBackOff", "CrashLoopBackOff"}
)  # fmt: skip
_WAYS_OUT = {
    "ImagePullBackOff": "give the nodes the image: PLUMBLINE_REGISTRY, and imagePullSecrets if it needs a password",
    "ErrImageNeverPull": "the image is not on the node, which may not pull it: remove imagePullPolicy",
    "InvalidImageName": "correct the image's name in the overlay",
    "CreateContainerConfigError": "a ConfigMap, Secret or key that it names does not exist: nox -s manifests",
}
_RESTARTS_MAX = 3
_SETTLED = timedelta(minutes=1)
"""Age from which a container that restarted often is taken to be stable."""
_FINAL = 78
"""Exit code of our programs for errors that a retry does not solve."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Workloads and pods at one moment."""

    workloads: dict[str, dict[str, Any]]
    pods: list[dict[str, Any]]

    def component(self, name: str) -> Component:
        """Return the component of this name."""
        workload = self.workloads.get(name)
        pods = self.of(name)
        trouble = next((words for pod in pods if (words := trouble_of(pod)[0] or restarts_of(pod))), "")
        since = min((pod["status"].get("startTime", "") for pod in pods), default="") or None
        wanted = workload["spec"].get("replicas", 1) if workload else len(pods)
        ready = sum(_is_ready(pod) for pod in pods)
        if not pods:
            return Component(name, "stopped" if not wanted else "starting")
        if trouble:
            return Component(name, "failed", since, detail=shorten(trouble, 80, placeholder=" …"))
        if wanted and ready >= wanted:
            return Component(name, "running", since, detail=f"{ready} pods" if ready > 1 else "")
        return Component(name, "starting", since, detail=f"{ready} of {wanted} pods ready")

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the pods of a component."""
        return [
            pod
            for pod in self.pods
            if pod["metadata"]["labels"].get(COMPONENT) == name and pod["status"].get("phase") != "Succeeded"
        ]


def fetch(cluster: Cluster) -> Snapshot:
    """Query the cluster. Raises StepError."""
    found = cluster.items("deployments,statefulsets,pods", f"--selector={COMPONENT}")
    workloads = {one["metadata"]["labels"][COMPONENT]: one for one in found if one["kind"] != "Pod"}
    return Snapshot(workloads, [one for one in found if one["kind"] == "Pod"])


def execute(cluster: Cluster, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run another command of a component's program in one of its ready pods. Raises StepError if there is none."""
    ready = [pod["metadata"]["name"] for pod in fetch(cluster).of(component) if _is_ready(pod)]
    if not ready:
        raise StepError(f"no pod of {component} is ready", component=component, hint="./deploy-local.sh status")
    container = f"--container={component}"
    return cluster.run("exec", "--stdin", ready[0], container, "--", START_IN_IMAGE, *arguments, stdin=stdin)


def inside(cluster: Cluster) -> Inside:
    """Return processes and listeners of the components' containers, without the ports of other containers in a pod."""
    processes: list[Process] = []
    listeners: set[Listener] = set()
    published: set[Listener] = set()
    texts: dict[str, list[str]] = {}
    for pod in fetch(cluster).pods:
        component, name = pod["metadata"]["labels"][COMPONENT], pod["metadata"]["name"]
        if component not in COMPONENTS or pod["status"].get("phase") != "Running":
            continue
        said = cluster.output("exec", name, f"--container={component}", "--", "sh", "-c", SCRIPT, component=component)
        in_pod, heard, of_store = read(component, name, said)
        beside = {port["containerPort"] for port in _ports(pod) if port["container"] != component}
        processes += in_pod
        listeners |= {one for one in heard if one.port not in beside}
        texts |= of_store
        published |= {
            Listener(component, "tcp", port.get("hostIP", ""), port["hostPort"])
            for port in _ports(pod)
            if "hostPort" in port
        }
    return Inside(
        tuple(processes), frozenset(listeners), CONTAINER_PORTS, True, frozenset(published), settings_elsewhere=True,
        texts=texts,
    )  # fmt: skip


def _ports(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**port, "container": container["name"]}
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]


def _is_ready(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def broken(cluster: Cluster, *components: str) -> list[str]:
    """Return the names of the components' pods that cannot recover by themselves. Raises StepError."""
    snapshot = fetch(cluster)
    return [pod["metadata"]["name"] for name in components for pod in snapshot.of(name) if trouble_of(pod)[0]]


def in_trouble(pods: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Return the names of the first pod and container that cannot recover by themselves, None if there are none."""
    for pod in pods:
        words, _ = trouble_of(pod)
        if words:
            return pod["metadata"]["name"], words.partition(":")[0].removeprefix("container ")
    return None


def trouble_of(pod: dict[str, Any]) -> tuple[str, int | None]:
    """Return the problem from which a pod cannot recover by itself, and an exit code, if any; ("", None) if none.

    The description begins with `container NAME: `.
    """
    status = pod["status"]
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        ended = one.get("state", {}).get("terminated") or one.get("lastState", {}).get("terminated") or {}
        code = ended.get("exitCode")
        waiting = one.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _FATAL_REASONS or (code == _FINAL and not one.get("ready")):
            words = " ".join(str(waiting.get("message") or "").split())[:300]
            reason = waiting.get("reason") or "it ended"
            return f"container {one['name']}: {reason} {words}".strip(), code
    return "", None


def restarts_of(pod: dict[str, Any]) -> str:
    """Return a description of a pod's container that restarts repeatedly; "" if there is none."""
    for one in pod["status"].get("containerStatuses", []):
        began = one.get("state", {}).get("running", {}).get("startedAt")
        count = one.get("restartCount", 0)
        if began and count >= _RESTARTS_MAX and datetime.now(UTC) - datetime.fromisoformat(began) < _SETTLED:
            return f"container {one['name']}: it was started again {count} times, last just now"
    return ""


def wait_ready(cluster: Cluster, *components: str) -> None:
    """Wait until every pod of the components is new and ready, and no old one is left. Raises StepError."""
    for name in components:
        patience = Patience(PATIENCE_S)
        while (reason := _lacks(fetch(cluster), name)) is not None:
            if patience.is_over(partial(str, reason)):
                raise StepError(f"{name} was not ready after {patience}: {reason}", component=name)
            time.sleep(_POLL_S)


def _lacks(snapshot: Snapshot, name: str) -> str | None:
    pods = snapshot.of(name)
    for pod in pods:
        words, code = trouble_of(pod)
        if words and not pod["metadata"].get("deletionTimestamp"):
            way_out = next((hint for reason, hint in _WAYS_OUT.items() if reason in words), None)
            raise StepError(f"{pod['metadata']['name']}: {words}", component=name, exit_code=code, hint=way_out)
    workload = snapshot.workloads.get(name)
    if workload is None:
        return "it has no pods" if not pods else _unready(pods)
    status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return "the cluster has not processed it yet"
    if status.get("updatedReplicas", 0) < wanted:
        return f"{status.get('updatedReplicas', 0)} of {wanted} pods are new"
    # Old pods may still receive requests.
    return "old pods have not ended yet" if len(pods) > wanted else _unready(pods)


def _unready(pods: list[dict[str, Any]]) -> str | None:
    unready = [f"{pod['metadata']['name']}{why(pod)}" for pod in pods if not _is_ready(pod)]
    return f"not ready: {', '.join(unready)}" if unready else None


def why(pod: dict[str, Any]) -> str:
    """Return in brackets what a pod waits for: a node with capacity, or a container that has not ended or started."""
    status = pod["status"]
    for one in status.get("conditions", []):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return f" ({' '.join(str(one.get('message') or one.get('reason')).split())})"
    for one in status.get("initContainerStatuses", []):
        if "running" in one.get("state", {}):
            return f" ({one['name']} is running)"
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if reason := one.get("state", {}).get("waiting", {}).get("reason"):
            return f" ({one['name']}: {reason})"
    return ""


def wait_gone(cluster: Cluster, *components: str) -> None:
    """Wait until no pod of the components is left. Raises StepError."""
    for name in components:
        patience = Patience(PATIENCE_S)
        while left := fetch(cluster).of(name):
            if patience.is_over(partial(len, left)):
                raise StepError(f"{left[0]['metadata']['name']} did not end within {patience}", component=name)
            time.sleep(_POLL_S)
