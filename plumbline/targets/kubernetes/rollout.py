"""Applies the manifests of a stack step by step, and waits for what they start."""

from __future__ import annotations

from plumbline.components import MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.targets.kubernetes import kustomize, migration, pods, rendering, scaling, waiting
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests

_IMMUTABLE = "updates to statefulset spec"
"""Begin of the API server's error for a change of immutable fields of a StatefulSet."""


def apply(cluster: Cluster, documents: list[Document], component: str | None = None) -> None:
    """Apply documents, if there are any. Raises StepError."""
    if documents:
        cluster.output("apply", "--filename=-", stdin=kustomize.dump(documents), component=component)


def bring_up(cluster: Cluster, manifests: Manifests, *names: str) -> None:
    """Start components, or replace their pods by new ones, and wait until each is ready. Raises StepError."""
    left = pods.broken(cluster, *names)
    documents = rendering.workloads(manifests, *names)
    try:
        apply(cluster, documents, names[0])
    except StepError as error:
        if _IMMUTABLE not in str(error):
            raise
        # Recreate the StatefulSet, but keep its pod and claim.
        cluster.output("delete", "statefulset", *names, "--cascade=orphan", component=names[0])
        apply(cluster, documents, names[0])
    if left:
        # Failed pods of an earlier attempt would retry only after minutes, and fail this attempt.
        cluster.output("delete", "pod", *left, "--ignore-not-found", "--wait=false", component=names[0])
    # With an autoscaler, the manifests set no number of pods, so a stopped workload would stay stopped.
    scaling.scale_up(cluster, *names)
    waiting.wait_ready(cluster, *names)


def migrate(cluster: Cluster, manifests: Manifests, name: str) -> None:
    """Wait for one container of the migration Job. The first step starts the Job, the last waits for its end."""
    step = migration_step(name)
    if name == MIGRATING[0]:
        # A Job cannot be changed, only replaced.
        delete_job(cluster, migration.JOB)
        apply(cluster, rendering.workloads(manifests, migration.JOB), step)
    migration.wait_for_container(cluster, step)
    if name == MIGRATING[-1]:
        migration.wait_for_end(cluster)


def migrate_back(cluster: Cluster, manifests: Manifests, name: str, revision: str) -> None:
    """Reverse the migrations of a component that are newer than `revision`. Raises StepError."""
    delete_job(cluster, migration.BACK)
    apply(cluster, [migration.back(manifests.documents, name, revision)], migration_step(name))
    migration.wait_for_end(cluster, migration.BACK, migration_step(name))


def delete_job(cluster: Cluster, name: str) -> None:
    """Delete a Job with its pods, if there is one."""
    cluster.output("delete", "job", name, "--ignore-not-found", "--wait=true")
