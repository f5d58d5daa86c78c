"""Restricted Pod Security, and the manners of production: no token, no service links, spread, budgets, a gentle end."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.manifests import capacity
from plumbline.manifests.model import Container, Manifests, Workload, selects
from plumbline.manifests.render import Document
from plumbline.plan import SERVICES

_RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
                       "secret"}  # fmt: skip
_SCRATCH = "/tmp"  # noqa: S108  a path in a container
REPLICATED = ("log-sink", "backend", "data-processor", "caddy")
"""Parts of which several pods run side by side."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything that a restricted namespace refuses, or that costs a request at a rollout or a drained node."""
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
        if workload.component in REPLICATED:
            yield from _replicated(manifests, workload)
        if workload.document["kind"] == "Job":
            yield from _bounded(workload)
    for budget in manifests.of("PodDisruptionBudget"):
        yield from _budget(manifests, budget)


def _pod(workload: Workload) -> Iterator[str]:
    pod, security = workload.pod, workload.pod.get("securityContext", {})
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{workload.name} mounts a token"
    if pod.get("enableServiceLinks") is not False:
        yield f"{workload.name} gets the addresses of all Services as variables"
    if not security.get("runAsNonRoot") or not security.get("runAsUser"):
        yield f"{workload.name} may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{workload.name} has no seccomp profile"
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{workload.name} shares something with its node"
    for volume in pod.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= _RESTRICTED_VOLUMES:
            yield f"{workload.name} has a volume of kind {', '.join(kinds - _RESTRICTED_VOLUMES)}"
        if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
            yield f"{workload.name}: everybody in the container can read secret volume {volume['name']}"
        if "secret" in volume and not (volume["secret"].get("defaultMode", 0o644) & 0o040 and "fsGroup" in security):
            # The files belong to root, and to fsGroup.
            yield f"{workload.name} cannot read its own secret volume {volume['name']}: 0440 and fsGroup"
        if "secret" in volume and "items" not in volume["secret"]:
            yield f"{workload.name} mounts every secret there is: name those it needs"
    if workload.component == "redis" and pod.get("volumes"):
        yield "redis has a volume, and is to keep nothing"


def _confined(workload: Workload, container: Container) -> Iterator[str]:
    where, security = f"{workload.name} {container.name}", container.spec.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield f"{where} may gain privileges"
    if not security.get("readOnlyRootFilesystem"):
        yield f"{where} may write to its image"
    scratch = {one["name"] for one in workload.pod.get("volumes", []) if "emptyDir" in one}
    if container.image.removeprefix("plumbline/") in SERVICES and not any(
        mount["mountPath"] == _SCRATCH and mount["name"] in scratch for mount in container.spec.get("volumeMounts", [])
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


def _replicated(manifests: Manifests, workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    if capacity.fewest_pods(manifests, workload) < 2:
        yield f"{workload.name} has one pod: a drained node takes it away"
    if not any(selects(one["spec"]["selector"], workload.labels) for one in manifests.of("PodDisruptionBudget")):
        yield f"{workload.name} has no PodDisruptionBudget"
    spreads = workload.pod.get("topologySpreadConstraints", [])
    if not {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= {one["topologyKey"] for one in spreads}:
        yield f"{workload.name} is not spread over nodes and zones"
    if any("pod-template-hash" not in one.get("matchLabelKeys", []) for one in spreads):
        yield f"{workload.name}: its spread counts the pods that a rollout is about to take away"
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    if rolling.get("maxUnavailable") != 0:
        yield f"{workload.name}: a rollout takes pods away before new ones are ready"
    command = workload.main.spec.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    if command[:1] != ["sleep"]:
        yield f"{workload.name} stops listening while requests are still sent to it: it needs a preStop that waits"
    elif workload.pod.get("terminationGracePeriodSeconds", 30) < int(command[1]) + 15:
        yield f"{workload.name} is killed before it has ended by itself"


def _bounded(workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if key not in spec:
            yield f"{workload.name} has no {key}: it tries, or stays, without end"


def _budget(manifests: Manifests, budget: Document) -> Iterator[str]:
    """A budget that forbids every eviction keeps a node from ever being drained."""
    name, spec = f"budget {budget['metadata']['name']}", budget["spec"]
    if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield f"{name} protects pods that do not work: unhealthyPodEvictionPolicy"
    for workload in manifests.workloads():
        if selects(spec["selector"], workload.labels):
            pods = capacity.fewest_pods(manifests, workload)
            least = spec.get("minAvailable", 0)
            if (
                spec.get("maxUnavailable", 1) in (0, "0%")
                or least == "100%"
                or (isinstance(least, int) and least >= pods)
            ):
                yield f"{name} lets no pod of {workload.name} go: its node cannot be drained"
