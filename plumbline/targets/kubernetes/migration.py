"""The migration Job, watched container by container, because each service's migrations are a step of the plan."""

from __future__ import annotations

import copy
import time
from typing import Any

from plumbline.components import MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.pods import trouble_of, why

JOB = "migrate"
BACK = "migrate-back"
"""The Job that reverses migrations of one component."""
CONTAINERS = ("wait-for-postgres", *map(migration_step, MIGRATING), *(f"{name}-at-head" for name in MIGRATING))
_PATIENCE_S = 900
_POLL_S = 0.5


def wait_for_container(cluster: Cluster, container: str) -> None:
    """Wait until an init container of the Job has succeeded. Raises StepError with how it ended."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        pods = _pods(cluster)
        for pod in pods:
            for one in pod["status"].get("initContainerStatuses", []):
                if one["name"] == container and one.get("state", {}).get("terminated", {}).get("exitCode") == 0:
                    return
        _raise_if_failed(cluster, pods, container)
        if time.monotonic() > deadline:
            waits = "".join(map(why, pods)) or " (no pod)"
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


def wait_for_end(cluster: Cluster, job: str = JOB) -> None:
    """Wait until the Job is complete. Raises StepError."""
    deadline, last = time.monotonic() + _PATIENCE_S, migration_step(MIGRATING[-1])
    while not _condition(cluster, "Complete", job):
        _raise_if_failed(cluster, _pods(cluster, job), last, job)
        if time.monotonic() > deadline:
            raise StepError(f"the migrations did not end within {_PATIENCE_S} s", component=last)
        time.sleep(_POLL_S)


def _pods(cluster: Cluster, job: str = JOB) -> list[dict[str, Any]]:
    return cluster.items("pods", f"--selector=batch.kubernetes.io/job-name={job}")


def _condition(cluster: Cluster, kind: str, job: str = JOB) -> bool:
    jobs = cluster.items("jobs", f"--field-selector=metadata.name={job}")
    conditions = [one for found in jobs for one in found["status"].get("conditions", [])]
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _raise_if_failed(cluster: Cluster, pods: list[dict[str, Any]], container: str, job: str = JOB) -> None:
    for pod in pods:
        words, code = trouble_of(pod)
        if words:
            raise StepError(words, component=container, exit_code=code)
    if not _condition(cluster, "Failed", job):
        return
    ended = [
        (one["name"], one["state"]["terminated"]["exitCode"])
        for pod in pods
        for one in [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
        if one.get("state", {}).get("terminated", {}).get("exitCode")
    ]
    name, code = ended[-1] if ended else (container, None)
    raise StepError(f"the migrations ended with an error in {name}", component=name, exit_code=code)
