"""The migration Job, watched container by container, because each service's migrations are a step of the plan."""

from __future__ import annotations

import time
from typing import Any

from plumbline.components import MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.pods import trouble_of, why

JOB = "migrate"
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


def wait_for_end(cluster: Cluster) -> None:
    """Wait until the Job is complete. Raises StepError."""
    deadline, last = time.monotonic() + _PATIENCE_S, migration_step(MIGRATING[-1])
    while not _condition(cluster, "Complete"):
        _raise_if_failed(cluster, _pods(cluster), last)
        if time.monotonic() > deadline:
            raise StepError(f"the migrations did not end within {_PATIENCE_S} s", component=last)
        time.sleep(_POLL_S)


def _pods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.items("pods", f"--selector=batch.kubernetes.io/job-name={JOB}")


def _condition(cluster: Cluster, kind: str) -> bool:
    jobs = cluster.items("jobs", f"--field-selector=metadata.name={JOB}")
    conditions = [one for job in jobs for one in job["status"].get("conditions", [])]
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _raise_if_failed(cluster: Cluster, pods: list[dict[str, Any]], container: str) -> None:
    for pod in pods:
        words, code = trouble_of(pod)
        if words:
            raise StepError(words, component=container, exit_code=code)
    if not _condition(cluster, "Failed"):
        return
    ended = [
        (one["name"], one["state"]["terminated"]["exitCode"])
        for pod in pods
        for one in [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
        if one.get("state", {}).get("terminated", {}).get("exitCode")
    ]
    name, code = ended[-1] if ended else (container, None)
    raise StepError(f"the migrations ended with an error in {name}", component=name, exit_code=code)
