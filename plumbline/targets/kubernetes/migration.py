"""The migration Job, watched container by container, because each service's migrations are a step of the plan."""

from __future__ import annotations

import copy
import time
from typing import Any

from plumbline.components import MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.targets.kubernetes import waiting
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import COMPONENT
from plumbline.targets.kubernetes.pods import trouble_of

JOB = "migrate"
BACK = "migrate-back"
"""The Job that reverses migrations of one component."""
CONTAINERS = ("wait-for-postgres", *map(migration_step, MIGRATING), *(f"{name}-at-head" for name in MIGRATING))
_PATIENCE_S = 900
_POLL_S = 0.5


def wait_for_container(cluster: Cluster, container: str) -> None:
    """Wait until an init container of the Job has succeeded. Raises StepError with how it ended."""
    deadline, room = time.monotonic() + _PATIENCE_S, waiting.Room(cluster, container)
    while True:
        pods = _pods(cluster)
        for pod in pods:
            for one in pod["status"].get("initContainerStatuses", []):
                if one["name"] == container and one.get("state", {}).get("terminated", {}).get("exitCode") == 0:
                    return
        _raise_if_failed(cluster, pods, container)
        room.require(pods)
        if time.monotonic() > deadline:
            waits = "".join(map(waiting.why, pods)) or " (no pod)"
            raise StepError(f"{container} did not end within {_PATIENCE_S} s{waits}", component=container)
        time.sleep(_POLL_S)


def back(documents: list[Document], name: str, revision: str) -> Document:
    """Return the Job that reverses a component's migrations after `revision`: its container of the usual Job alone."""
    job = copy.deepcopy(next(one for one in documents if one["kind"] == "Job" and one["metadata"]["name"] == JOB))
    job["metadata"]["name"] = BACK
    pod = job["spec"]["template"]["spec"]
    container = next(one for one in pod.pop("initContainers") if one["name"] == migration_step(name))
    pod["containers"] = [{**container, "args": ["migrate", "--back-to", revision]}]
    return job


def wait_for_end(cluster: Cluster, job: str = JOB, container: str = migration_step(MIGRATING[-1])) -> None:
    """Wait until the Job is complete. Raises StepError with how its container ended."""
    deadline, room = time.monotonic() + _PATIENCE_S, waiting.Room(cluster, container)
    while not _condition(cluster, "Complete", job):
        pods = _pods(cluster, job)
        _raise_if_failed(cluster, pods, container, job)
        room.require(pods)
        if time.monotonic() > deadline:
            raise StepError(f"the migrations did not end within {_PATIENCE_S} s", component=container)
        time.sleep(_POLL_S)


def newest_pod(cluster: Cluster, container: str) -> str | None:
    """Return the name of the newest pod of the Jobs with this container, None if there is none."""
    pods = [
        pod
        for pod in cluster.items("pods", f"--selector={COMPONENT}={JOB}")
        if container in {one["name"] for one in _statuses(pod)}
    ]
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)
    return newest["metadata"]["name"] if newest else None


def _pods(cluster: Cluster, job: str = JOB) -> list[dict[str, Any]]:
    return cluster.items("pods", f"--selector=batch.kubernetes.io/job-name={job}")


def _statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]


def _condition(cluster: Cluster, kind: str, job: str = JOB) -> bool:
    jobs = cluster.items("jobs", f"--field-selector=metadata.name={job}")
    conditions = [one for found in jobs for one in found["status"].get("conditions", [])]
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _raise_if_failed(cluster: Cluster, pods: list[dict[str, Any]], container: str, job: str = JOB) -> None:
    """Raise StepError at the first failure, and let the Job try no further: its pods and their logs stay."""
    for pod in pods:
        words, code = trouble_of(pod)
        if words:
            _give_up(cluster, job)
            raise StepError(words, component=container, exit_code=code)
        if pod["metadata"].get("deletionTimestamp") or _was_evicted(pod):
            continue  # the Job makes another
        for one in _statuses(pod):
            if code := one.get("state", {}).get("terminated", {}).get("exitCode"):
                _give_up(cluster, job)
                name = one["name"]
                raise StepError(f"the migrations ended with an error in {name}", component=name, exit_code=code)
    if _condition(cluster, "Failed", job):
        raise StepError("the migrations ended with an error", component=container)


def _was_evicted(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "DisruptionTarget" and one["status"] == "True" for one in conditions)


def _give_up(cluster: Cluster, job: str) -> None:
    cluster.run("patch", "job", job, '--patch={"spec": {"suspend": true}}')
