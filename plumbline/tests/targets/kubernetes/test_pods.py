"""Reports about pods that are not ready."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

import pytest

from plumbline.errors import StepError
from plumbline.inside import Listener
from plumbline.targets.kubernetes import migration, pods, waiting
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
    monkeypatch.setattr(waiting, "PATIENCE_S", 0)
    monkeypatch.setattr(pods, "fetch", lambda cluster: snapshot(status))
    with pytest.raises(StepError) as failed:
        waiting.wait_ready(Cluster("kind-test", "plumbline"), "backend")
    assert re.sub(r"after [\d.]+ s", "after 0 s", str(failed.value)) == (
        f"backend was not ready after 0 s: not ready: {says}"
    )


class OneCluster(Cluster):
    """A cluster that has only events."""

    events: ClassVar[list[dict[str, Any]]] = []

    def items(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        assert (kinds, arguments) == ("events", ("--field-selector=involvedObject.name=backend-1",))
        return self.events


def without_node(monkeypatch: pytest.MonkeyPatch, message: str = "", **status: Any) -> Snapshot:
    """A rollout whose new pod has no place, for longer than the scheduler needs to try again."""
    condition = {**UNSCHEDULED, "message": message or UNSCHEDULED["message"]}
    found = snapshot({"conditions": [condition], **status})
    found.workloads["backend"]["spec"]["replicas"] = 2
    monkeypatch.setattr(waiting, "NO_ROOM_S", 0)
    monkeypatch.setattr(waiting, "PATIENCE_S", 0)
    monkeypatch.setattr(pods, "fetch", lambda cluster: found)
    return found


def test_a_rollout_without_room_ends_with_the_schedulers_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    without_node(monkeypatch)
    monkeypatch.setattr(waiting, "PATIENCE_S", 300)
    with pytest.raises(
        StepError, match=r"^backend-1 finds no node: 0/1 nodes are available: 1 Insufficient cpu\.$"
    ) as failed:
        waiting.wait_ready(OneCluster("kind-test", "plumbline"), "backend")
    assert "add a node, or lower the requests" in str(failed.value.hint)


def ending(component: str, left: timedelta) -> dict[str, Any]:
    """A pod that has so long left to end."""
    due = (datetime.now(UTC) + left).isoformat()
    metadata = {"name": f"{component}-old", "deletionTimestamp": due, "labels": {COMPONENT: component}}
    return {"metadata": metadata, "status": {"phase": "Running"}}


def test_a_rollout_does_not_wait_for_pods_on_a_lost_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    found = snapshot(ready)
    monkeypatch.setattr(waiting, "PATIENCE_S", 0)
    monkeypatch.setattr(pods, "fetch", lambda cluster: found)
    found.pods.append(ending("backend", -timedelta(minutes=3)))
    waiting.wait_ready(OneCluster("kind-test", "plumbline"), "backend")
    found.pods.append(ending("backend", timedelta(seconds=20)))
    with pytest.raises(StepError, match="old pods have not ended yet"):
        waiting.wait_ready(OneCluster("kind-test", "plumbline"), "backend")


def test_a_pod_on_a_lost_node_makes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    found = without_node(monkeypatch)
    monkeypatch.setattr(waiting, "PATIENCE_S", 300)
    found.pods.append(ending("redis", -timedelta(minutes=3)))
    with pytest.raises(StepError, match="backend-1 finds no node"):
        waiting.wait_ready(OneCluster("kind-test", "plumbline"), "backend")


@pytest.mark.parametrize("room", ["evicts", "disk", "node", "ends"])
def test_a_pod_for_which_room_is_made_is_waited_for(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    found = without_node(
        monkeypatch,
        claim if room == "disk" else "",
        **({"nominatedNodeName": "node-1"} if room == "evicts" else {}),
    )
    monkeypatch.setattr(OneCluster, "events", [{"reason": "TriggeredScaleUp"}] if room == "node" else [])
    if room == "ends":
        found.pods.append(ending("redis", timedelta(seconds=20)))
    with pytest.raises(
        StepError, match=r"backend was not ready after .*: 1 of 2 pods are new, not ready: backend-1 \(0/1"
    ):
        waiting.wait_ready(OneCluster("kind-test", "plumbline"), "backend")


def migrating(monkeypatch: pytest.MonkeyPatch, code: int, **status: Any) -> list[tuple[str, ...]]:
    """A Job that still tries, with a pod whose migrations ended with this code; return the later calls of kubectl."""
    calls: list[tuple[str, ...]] = []
    ended = [{"name": "migrate-backend", "state": {"terminated": {"exitCode": code}}}]
    pod = {"metadata": {"name": "migrate-1"}, "status": {"initContainerStatuses": ended, **status}}
    monkeypatch.setattr(Cluster, "items", lambda self, kinds, *rest: [pod] if kinds == "pods" else [])
    monkeypatch.setattr(Cluster, "run", lambda self, *arguments: calls.append(arguments))
    monkeypatch.setattr(migration, "_PATIENCE_S", -1)
    return calls


@pytest.mark.parametrize("code", [1, 75])
def test_the_first_failure_of_a_migration_ends_it(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = migrating(monkeypatch, code)
    with pytest.raises(StepError, match="the migrations ended with an error in migrate-backend") as failed:
        migration.wait_for_container(Cluster("kind-test", "plumbline"), "migrate-backend")
    assert (failed.value.component, failed.value.exit_code) == ("migrate-backend", code)
    assert calls == [("patch", "job", "migrate", '--patch={"spec": {"suspend": true}}')]


def test_a_migration_whose_pod_was_evicted_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = migrating(monkeypatch, 143, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    with pytest.raises(StepError, match="migrate-backend did not end within"):
        migration.wait_for_container(Cluster("kind-test", "plumbline"), "migrate-backend")
    assert calls == []


def test_a_pod_that_cannot_recover_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = {"reason": "CreateContainerConfigError", "message": 'secret "plumbline" not found'}
    status = {"containerStatuses": [{"name": "backend", "state": {"waiting": waits}}]}
    monkeypatch.setattr(pods, "fetch", lambda cluster: snapshot(status))
    with pytest.raises(
        StepError, match='backend-1: container backend: CreateContainerConfigError secret "plum'
    ) as failed:
        waiting.wait_ready(Cluster("kind-test", "plumbline"), "backend")
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
