"""What is said of pods that are not ready."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plumbline.errors import StepError
from plumbline.targets.kubernetes import migration, pods
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import COMPONENT
from plumbline.targets.kubernetes.pods import Snapshot

UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available:\n1 Insufficient cpu."}


def snapshot(status: dict[str, Any]) -> Snapshot:
    labels = {COMPONENT: "backend"}
    workload = {"metadata": {"generation": 1, "labels": labels}, "spec": {"replicas": 1}}
    workload["status"] = {"observedGeneration": 1, "updatedReplicas": 1}
    return Snapshot({"backend": workload}, [{"metadata": {"name": "backend-1", "labels": labels}, "status": status}])


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"conditions": [UNSCHEDULED]}, "backend-1 (0/1 nodes are available: 1 Insufficient cpu.)"),
        (
            {
                "initContainerStatuses": [{"name": "wait-for-backend-schema", "state": {"running": {}}}],
                "containerStatuses": [{"name": "backend", "state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "backend-1 (wait-for-backend-schema is running)",
        ),
        (
            {"containerStatuses": [{"name": "backend", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
            "backend-1 (backend: ContainerCreating)",
        ),
        ({}, "backend-1"),
    ],
)
def test_patience_that_ends_says_what_was_waited_for(
    status: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pods, "PATIENCE_S", -1)
    monkeypatch.setattr(pods, "fetch", lambda cluster: snapshot(status))
    with pytest.raises(StepError) as failed:
        pods.wait_ready(Cluster("kind-test", "plumbline"), "backend")
    assert str(failed.value) == f"backend was not ready after -1 s: not ready: {says}"


def test_what_cannot_get_better_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "plumbline" not found'}
    status = {"containerStatuses": [{"name": "backend", "state": {"waiting": waiting}}]}
    monkeypatch.setattr(pods, "fetch", lambda cluster: snapshot(status))
    with pytest.raises(
        StepError, match='backend-1: container backend: CreateContainerConfigError secret "plum'
    ) as failed:
        pods.wait_ready(Cluster("kind-test", "plumbline"), "backend")
    assert "nox -s manifests" in str(failed.value.hint)


@pytest.mark.parametrize(
    ("count", "age", "state"),
    [(0, timedelta(0), "running"), (4, timedelta(seconds=5), "failed"), (4, timedelta(hours=1), "running")],
)
def test_one_that_keeps_ending_is_not_called_running(count: int, age: timedelta, state: str) -> None:
    began = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    container = {"name": "backend", "restartCount": count, "state": {"running": {"startedAt": began}}}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [container]}
    component = snapshot(status).component("backend")
    assert component.state == state
    assert ("started again 4 times" in component.detail) == (state == "failed")


def test_a_migration_that_does_not_end_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def items(self: Cluster, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        status = {"initContainerStatuses": [{"name": "wait-for-postgres", "state": {"running": {}}}]}
        return [{"metadata": {"name": "migrate-1"}, "status": status}] if kinds == "pods" else []

    monkeypatch.setattr(migration, "_PATIENCE_S", -1)
    monkeypatch.setattr(Cluster, "items", items)
    with pytest.raises(StepError, match=r"migrate-backend did not end within -1 s \(wait-for-postgres is running\)"):
        migration.wait_for_container(Cluster("kind-test", "plumbline"), "migrate-backend")
