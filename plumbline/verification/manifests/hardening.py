"""Restricted Pod Security and a little more: no token, no service links, no secret that is not needed."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.plan import SERVICES
from plumbline.targets.kubernetes.model import Container, Manifests, Workload

_RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
                       "secret"}  # fmt: skip
_SCRATCH = "/tmp"  # noqa: S108  a path in a container
_POD = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile"}
_CONTAINER = {"allowPrivilegeEscalation", "privileged", "readOnlyRootFilesystem", "capabilities"}
"""What a security context of ours says. Anything else could take back what these promise."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything that a restricted namespace refuses, and whatever gives a container more than it needs."""
    if not any(manifests.of("Namespace")):
        yield "there is no Namespace, and so none that enforces restricted Pod Security"
    for namespace in manifests.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace does not enforce restricted Pod Security"
    accounts = [str(one.pod.get("serviceAccountName")) for one in manifests.workloads()]
    yield from (
        f"two workloads share ServiceAccount {name}" for name in sorted(set(accounts)) if accounts.count(name) > 1
    )
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {account['metadata']['name']} mounts its token"
    for workload in manifests.workloads():
        yield from _pod(workload)
        for container in workload.containers:
            yield from _confined(workload, container)


def _pod(workload: Workload) -> Iterator[str]:
    pod, security = workload.pod, workload.pod.get("securityContext", {})
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{workload.name} mounts a token"
    if pod.get("enableServiceLinks") is not False:
        yield f"{workload.name} gets the addresses of all Services as variables"
    if not security.get("runAsNonRoot") or not security.get("runAsUser") or not security.get("runAsGroup"):
        yield f"{workload.name} may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{workload.name} has no seccomp profile"
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{workload.name} shares something with its node"
    yield from (f"{workload.name} has a security context with {key}" for key in sorted(security.keys() - _POD))
    for volume in pod.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= _RESTRICTED_VOLUMES:
            yield f"{workload.name} has a volume of kind {', '.join(kinds - _RESTRICTED_VOLUMES)}"
        if any("serviceAccountToken" in one for one in volume.get("projected", {}).get("sources", [])):
            yield f"{workload.name} mounts a token: volume {volume['name']}"
        if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
            yield f"{workload.name}: everybody in the container can read secret volume {volume['name']}"
        if "secret" in volume and not (volume["secret"].get("defaultMode", 0o644) & 0o040 and "fsGroup" in security):
            # The files belong to root, and to fsGroup.
            yield f"{workload.name} cannot read its own secret volume {volume['name']}: 0440 and fsGroup"
        if "secret" in volume and "items" not in volume["secret"]:
            yield f"{workload.name} mounts every secret there is: name those it needs"
    if workload.component == "redis" and not all("secret" in volume for volume in pod.get("volumes", [])):
        yield "redis has a volume, and is to keep nothing"


def _confined(workload: Workload, container: Container) -> Iterator[str]:
    where, security = f"{workload.name} {container.name}", container.spec.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield f"{where} may gain privileges"
    if not security.get("readOnlyRootFilesystem"):
        yield f"{where} may write to its image"
    for key in sorted(security.keys() - _CONTAINER):
        yield f"{where} has a security context of its own with {key}"
    yield from (f"{where} takes a port of its node" for port in container.spec.get("ports", []) if "hostPort" in port)
    scratch = {one["name"] for one in workload.pod.get("volumes", []) if "emptyDir" in one}
    if container.image.removeprefix("plumbline/") in SERVICES and not any(
        mount["mountPath"] == _SCRATCH and mount["name"] in scratch and not mount.get("readOnly")
        for mount in container.spec.get("volumeMounts", [])
    ):
        yield f"{where} has no {_SCRATCH} that it can write to"
    if security.get("capabilities", {}) != {"drop": ["ALL"]}:
        yield f"{where} keeps capabilities"
    for variable in container.spec.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            yield f"{where} has a secret in its environment: {variable['name']}"
    yield from (
        f"{where} has a Secret in its environment" for one in container.spec.get("envFrom", []) if "secretRef" in one
    )
