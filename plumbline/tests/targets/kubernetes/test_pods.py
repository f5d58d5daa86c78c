"""Reports about pods that are not ready."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from plumbline.errors import StepError
from plumbline.inside import Listener
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
    monkeypatch.setattr(pods, "PATIENCE_S", 0)
    monkeypatch.setattr(pods, "fetch", lambda cluster: snapshot(status))
    with pytest.raises(StepError) as failed:
        pods.wait_ready(Cluster("kind-test", "plumbline"), "backend")
    assert re.sub(r"after [\d.]+ s", "after 0 s", str(failed.value)) == (
        f"backend was not ready after 0 s: not ready: {says}"
    )


def test_a_pod_that_cannot_recover_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
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


class OnePod:
    """A cluster with one pod of the backend, and another container in it that has a port of its own."""

    def items(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        del kinds, arguments
        containers = [
            {"name": "backend", "ports": [{"containerPort": 8001, "hostPort": 80}]},
            {"name": "exporter", "ports": [{"containerPort": 9187}]},
        ]
        metadata = {"name": "backend-1", "labels": {COMPONENT: "backend"}}
        return [
            {"kind": "Pod", "metadata": metadata, "spec": {"containers": containers}, "status": {"phase": "Running"}}
        ]

    def output(self, *arguments: str, component: str | None = None) -> str:
        assert arguments[:3] == ("exec", "backend-1", "--container=backend")
        return (
            "process 1 0 10001 cHl0aG9uAA== -\n"
            "tcp 0: 00000000:1F41 00000000:0000 0A 0\n"
            "tcp 1: 00000000:23E3 00000000:0000 0A 0\n"
        )


def test_inside_of_pods_is_what_their_own_containers_run() -> None:
    found = pods.inside(cast(Cluster, OnePod()))
    assert [(one.component, one.place, one.command) for one in found.processes] == [
        ("backend", "backend-1", ("python",))
    ]
    assert found.listeners == {Listener("backend", "tcp", "0.0.0.0", 8001)}
    assert found.published == {Listener("backend", "tcp", "", 80)}
