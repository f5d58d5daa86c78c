"""A rollout, a drained node and a crash cost no request: several pods, spread, kept by budgets, and ended gently."""

from __future__ import annotations

from collections.abc import Iterator

from servicekit.facts import EXIT_CONFIG

from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload, selects
from plumbline.verification.manifests import capacity

REPLICATED = ("log-sink", "backend", "data-processor", "caddy")
"""Parts of which several pods run side by side."""
_UNNOTICED_S = 5
"""How long proxies may go on sending requests to a pod that has to go."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything that costs a request at a rollout or a drained node, or that never starts or never ends."""
    for workload in manifests.workloads():
        if any(workload.document["spec"].get(key) for key in ("paused", "suspend")):
            yield f"{workload.name} is halted: nothing of it is ever started"
        if workload.component in REPLICATED:
            yield from _replicated(manifests, workload)
        if workload.component == "caddy":
            yield from _lookups(manifests, workload)
        if workload.component == "redis":
            yield from _single(workload)
        if workload.document["kind"] == "Job":
            yield from _bounded(workload)
    for budget in manifests.of("PodDisruptionBudget"):
        yield from _budget(manifests, budget)
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"].get("minReplicas", 1) > scaler["spec"]["maxReplicas"]:
            yield f"autoscaler {scaler['metadata']['name']} has more pods at least than at most"


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
    if any(one.get("whenUnsatisfiable") != "ScheduleAnyway" for one in spreads):
        # Where nodes have no zones, the pods of a spread that has to be kept run nowhere.
        yield f"{workload.name} does not start where it cannot be spread: whenUnsatisfiable"
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    if rolling.get("maxUnavailable") != 0:
        yield f"{workload.name}: a rollout takes pods away before new ones are ready"
    if rolling.get("maxSurge") in (0, "0%"):
        yield f"{workload.name}: a rollout may neither add a pod nor take one away"
    if workload.main.pre_stop_s < _UNNOTICED_S:
        yield (
            f"{workload.name} stops listening while requests are still sent to it: it needs a preStop that sleeps for "
            f"{_UNNOTICED_S} s"
        )


def _single(workload: Workload) -> Iterator[str]:
    """With two of it, half of the processes would not hear the other half's events."""
    spec = workload.document["spec"]
    if spec.get("replicas", 1) != 1 or spec.get("strategy", {}).get("type") != "Recreate":
        yield f"{workload.name} may run twice at a time: one replica, strategy Recreate"


def _lookups(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """A name is looked up for each connection, and without connections that are kept, for each request."""
    options = {one["name"]: one.get("value") for one in workload.pod.get("dnsConfig", {}).get("options", [])}
    kept = manifests.environment(workload.main).get("PLUMBLINE_UPSTREAM_KEEPALIVE") != "off"
    if not kept and (options.get("timeout") != "1" or int(options.get("attempts") or 1) < 2):
        yield f"{workload.name} waits longer for a lost answer of the DNS than a request has patience: dnsConfig"


def _bounded(workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if key not in spec:
            yield f"{workload.name} has no {key}: it tries, or stays, without end"
    if not spec.get("backoffLimit"):
        yield f"{workload.name} is tried only once: a Postgres that starts slowly would fail it"
    if workload.pod.get("restartPolicy") != "Never":
        yield f"{workload.name}: exit codes are looked at only with restartPolicy Never"
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    final = [one["onExitCodes"] for one in rules if one["action"] == "FailJob" and "onExitCodes" in one]
    if not any(one["operator"] == "In" and one["values"] == [EXIT_CONFIG] for one in final):
        yield f"{workload.name} is tried again after exit code {EXIT_CONFIG}, which trying does not change"


def _budget(manifests: Manifests, budget: Document) -> Iterator[str]:
    """A budget that forbids every eviction keeps a node from ever being drained."""
    name, spec = f"budget {budget['metadata']['name']}", budget["spec"]
    if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield f"{name} protects pods that do not work: unhealthyPodEvictionPolicy"
    if ("minAvailable" in spec) == ("maxUnavailable" in spec):
        yield f"{name} needs just one of minAvailable and maxUnavailable"
    for workload in manifests.workloads():
        if selects(spec["selector"], workload.labels):
            pods = capacity.fewest_pods(manifests, workload)
            if _of(spec.get("maxUnavailable", pods), pods) < 1 or _of(spec.get("minAvailable", 0), pods) >= pods:
                yield f"{name} lets no pod of {workload.name} go: its node cannot be drained"


def _of(bound: int | str, pods: int) -> int:
    """A number of pods, from a number or a percentage; Kubernetes rounds up."""
    return -(-pods * int(bound.rstrip("%")) // 100) if isinstance(bound, str) else bound
