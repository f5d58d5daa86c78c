"""The stack's workloads and pods, as the cluster reports them and as components of a stack."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from textwrap import shorten
from typing import Any

from plumbline.components import COMPONENTS, START_IN_IMAGE
from plumbline.errors import StepError
from plumbline.inside import CONTAINER_PORTS, SCRIPT, Inside, Listener, Process, read
from plumbline.stack import Component
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import COMPONENT

_FATAL_REASONS = frozenset(
    {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
     "ImagePullBackOff", "CrashLoopBackOff"}
)  # fmt: skip
_RESTARTS_MAX = 3
_SETTLED = timedelta(minutes=1)
"""Age from which a container that restarted often is taken to be stable."""
_LOST = timedelta(minutes=1)
"""How long after its grace period a pod that has not ended is taken to be on a lost node."""
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
        ready = sum(is_ready(pod) for pod in pods)
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
    ready = [pod["metadata"]["name"] for pod in fetch(cluster).of(component) if is_ready(pod)]
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


def is_lost(pod: dict[str, Any]) -> bool:
    """Return whether a pod should have ended long ago: its node does not answer, so it gets no requests either."""
    due = pod["metadata"].get("deletionTimestamp")
    return due is not None and datetime.fromisoformat(due) + _LOST < datetime.now(UTC)


def is_ready(pod: dict[str, Any]) -> bool:
    """Return whether a pod is ready and not ending."""
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
