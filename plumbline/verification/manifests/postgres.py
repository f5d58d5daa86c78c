"""Postgres can be written to, has the right version, and knows the role and the password of the services."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from servicekit.facts import DATABASE_NAME, DATABASE_USER, POSTGRES_MAJOR

from plumbline.secret_files import SECRETS
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload
from plumbline.targets.kubernetes.quantity import parse

_STORAGE_MIN = 1024**3
_SIZES = ("max_connections", "shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem")
PASSWORD = "postgres_password"  # noqa: S105  a file's name


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what prevents Postgres from starting, from keeping its data, or from accepting the services."""
    for workload in manifests.workloads():
        if workload.document["kind"] == "StatefulSet":
            yield from _own(workload)
    for cluster in manifests.of("Cluster"):
        yield from _cluster(manifests, cluster)
    for one in manifests.workloads():
        for container in one.containers:
            host = manifests.environment(container).get("PLUMBLINE_POSTGRES_HOST", "")
            if host.endswith(("-ro", "-r")) and host in manifests.services():
                yield f"{one.name} {container.name}: {host} leads to a Postgres that does not write"


def _own(workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    if spec.get("replicas", 1) != 1:
        yield f"{workload.name} has {spec['replicas']} pods: they are no replicas of each other"
    if spec.get("podManagementPolicy") != "Parallel":
        yield f"{workload.name}: podManagementPolicy is not Parallel, so a later release does not replace a stuck pod"
    if spec.get("updateStrategy", {}).get("type", "RollingUpdate") != "RollingUpdate":
        yield f"{workload.name}: updateStrategy is {spec['updateStrategy']['type']}, so a new release starts no new pod"
    kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    if spec.get("persistentVolumeClaimRetentionPolicy", kept) != kept:
        yield f"{workload.name} loses its data when it is deleted or scaled: persistentVolumeClaimRetentionPolicy"
    for claim in spec.get("volumeClaimTemplates", []):
        size = claim["spec"]["resources"]["requests"].get("storage")
        if size is not None and parse(size) < _STORAGE_MIN:
            yield f"{workload.name}: its claim of {size} is full soon; expected at least 1Gi"
    for argument in workload.main.spec.get("args", []):
        if argument != "-c" and argument.partition("=")[0] not in _SIZES:
            yield f"{workload.name} is started with {argument}; expected only settings of its size: {', '.join(_SIZES)}"
    if spec.get("volumeClaimTemplates") and workload.pod["securityContext"].get("fsGroupChangePolicy") != (
        "OnRootMismatch"
    ):
        # Otherwise every start opens the data folder to the group, and Postgres refuses to run with that.
        yield f"{workload.name} does not start a second time: fsGroupChangePolicy is not OnRootMismatch"


def _cluster(manifests: Manifests, cluster: Document) -> Iterator[str]:
    spec, said = cluster["spec"], cluster["spec"]["bootstrap"]["initdb"]
    if (said["database"], said["owner"]) != (DATABASE_NAME, DATABASE_USER):
        yield f"cluster: {said['owner']} owns {said['database']}, not {DATABASE_USER} {DATABASE_NAME}"
    if spec["imageName"].rpartition(":")[2].partition(".")[0] != str(POSTGRES_MAJOR):
        yield f"cluster: {spec['imageName']} is not Postgres {POSTGRES_MAJOR}"
    if parse(spec["storage"]["size"]) <= 0:
        yield "cluster: no storage"
    secret = manifests.named("Secret", said["secret"]["name"]) or {}
    if secret.get("type") != "kubernetes.io/basic-auth":
        yield f"cluster: secret {said['secret']['name']} is not of type kubernetes.io/basic-auth"
    theirs = manifests.data("Secret", said["secret"]["name"]) or {}
    if theirs.get("username") != said["owner"]:
        yield f"cluster: the secret is of {theirs.get('username')}, not of {said['owner']}"
    ours = [one["data"] for one in manifests.of("Secret") if {*SECRETS} <= (one.get("data") or {}).keys()]
    if [theirs.get("password")] != [base64.b64decode(one[PASSWORD]).decode() for one in ours]:
        yield "cluster: the role has another password than the services use"
