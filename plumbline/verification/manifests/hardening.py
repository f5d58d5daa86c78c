"""Pod Security "restricted" and stricter: read-only images, no tokens, no service links, secrets only as files."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.components import BASELINE, REDIS, SERVICES
from plumbline.targets.kubernetes.model import BACKUP, Container, Manifests, Workload
from plumbline.verification.manifests.compare import differences, of

_CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
"""The security context of every container."""
_VOLUMES = frozenset({"configMap", "emptyDir", "secret"})
_READABLE_BY_GROUP = 0o440
_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_SCRATCH = "/tmp"  # noqa: S108  a path in a container
_ENFORCED = "pod-security.kubernetes.io/enforce"


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything that a restricted namespace refuses, and everything that a container does not need."""
    if [one["metadata"].get("labels", {}).get(_ENFORCED) for one in manifests.of("Namespace")] != ["restricted"]:
        yield "one Namespace has to be there, with restricted Pod Security enforced"
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {account['metadata']['name']} mounts its token"
    for one in manifests.of(*_RIGHTS):
        yield f"{one['kind']} {one['metadata']['name']}: gives rights in the cluster, which no component needs"
    for workload in manifests.workloads():
        yield from _pod(workload)
        yield from _volumes(workload)
        for container in workload.containers:
            yield from _container(workload, container)


def _pod(workload: Workload) -> Iterator[str]:
    wanted = {
        "serviceAccountName": workload.document["metadata"]["name"],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": None,
        "hostPID": None,
        "hostIPC": None,
    }
    yield from differences(workload.name, of(workload.pod, wanted), wanted)
    security = dict(workload.pod.get("securityContext", {}))
    security.pop("fsGroupChangePolicy", None)  # the check of Postgres looks at it
    user = security.get("runAsUser")
    same = {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    wanted = {"runAsNonRoot": True, **same, "seccompProfile": {"type": "RuntimeDefault"}}
    yield from differences(f"{workload.name} security context", security, wanted)
    if not user:
        yield f"{workload.name} security context: runAsUser is absent or root"


def _volumes(workload: Workload) -> Iterator[str]:
    for volume in workload.pod.get("volumes", []):
        where = f"{workload.name} volume {volume['name']}"
        usual = _VOLUMES | {"persistentVolumeClaim"} if workload.component in (BASELINE.name, BACKUP) else _VOLUMES
        if other := volume.keys() - {"name"} - usual:
            yield f"{where} is of kind {', '.join(other)}: only {', '.join(sorted(usual))} are used here"
        if secret := volume.get("secret"):
            if secret.get("defaultMode") != _READABLE_BY_GROUP:
                yield f"{where}: defaultMode has to be 0440, readable by root and fsGroup alone"
            if "items" not in secret:
                yield f"{where} mounts every secret: name those that are needed"
        elif workload.component == REDIS.name and volume.get("emptyDir", {}).get("medium") != "Memory":
            yield f"{where}: redis keeps nothing, and needs no volume but its password's, and one in memory"


def _container(workload: Workload, container: Container) -> Iterator[str]:
    where, spec = f"{workload.name} {container.name}", container.spec
    yield from differences(f"{where} security context", spec.get("securityContext", {}), _CONTAINER)
    yield from (f"{where} takes a port of its node" for port in spec.get("ports", []) if "hostPort" in port)
    secret = {one["name"] for one in workload.pod.get("volumes", []) if "secret" in one}
    for mount in spec.get("volumeMounts", []):
        if mount["name"] in secret and not mount.get("readOnly"):
            yield f"{where} may write to its secrets: mount {mount['mountPath']} with readOnly"
    scratch = {one["name"] for one in workload.pod.get("volumes", []) if "emptyDir" in one}
    if container.image.removeprefix("plumbline/") in SERVICES and not any(
        mount["mountPath"] == _SCRATCH and mount["name"] in scratch and not mount.get("readOnly")
        for mount in spec.get("volumeMounts", [])
    ):
        yield f"{where} has no {_SCRATCH} that it can write to"
    sources = [*spec.get("envFrom", []), *(one.get("valueFrom", {}) for one in spec.get("env", []))]
    if any("secretRef" in one or "secretKeyRef" in one for one in sources):
        yield f"{where} has a secret in its environment: mount it as a file"
