"""Rollouts, drained nodes and crashes cost no request: several pods, spread out, kept by budgets, stopped slowly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from servicekit.facts import EXIT_CONFIG, EXIT_TEMPORARY

from plumbline import ROOT
from plumbline.components import CADDY, SPECS
from plumbline.targets.kubernetes.model import Manifests, Workload, selects
from plumbline.targets.kubernetes.requests import fewest_pods
from plumbline.verification.manifests.compare import differences, of

CADDYFILE = "docker/caddy/Caddyfile"
_TRIES = 5
_ROLLING = {"maxSurge": 1, "maxUnavailable": 0}
_BUDGET = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
_MIGRATING_S = 900
_TERMINATED = 143
"""Exit code of a container whose pod was deleted."""
_STILL_SENT_S = 5
"""How long proxies may go on sending requests to a pod that is being stopped."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything that costs a request at a rollout or a drained node, or that never starts or never ends."""
    for workload in manifests.workloads():
        if any(workload.document["spec"].get(key) for key in ("paused", "suspend")):
            yield f"{workload.name} is paused or suspended: none of its pods is ever started"
        if workload.document["spec"].get("revisionHistoryLimit", 1) < 1:
            yield f"{workload.name} keeps no earlier release: revisionHistoryLimit has to be above 0, to go back"
        if not workload.ends and workload.pod.get("restartPolicy", "Always") != "Always":
            yield f"{workload.name}: restartPolicy has to be Always, or what ends stays dead"
        spec = SPECS.get(workload.component)
        if spec and spec.is_replicated:
            yield from _replicated(manifests, workload)
        elif spec and workload.document["kind"] == "Deployment":  # a StatefulSet never has the same pod twice
            yield from _single(workload)
        if spec is CADDY:
            yield from _lookups(manifests, workload)
            yield from _tries(manifests, workload)
        if workload.ends:
            yield from _job(workload)
        if workload.document["kind"] == "CronJob":
            yield from _schedule(workload)
    for budget in manifests.of("PodDisruptionBudget"):
        found = {key: value for key, value in budget["spec"].items() if key != "selector"}
        yield from differences(f"budget {budget['metadata']['name']}", found, _BUDGET)
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"].get("minReplicas", 1) > scaler["spec"]["maxReplicas"]:
            yield f"autoscaler {scaler['metadata']['name']}: minReplicas is above maxReplicas"


def _replicated(manifests: Manifests, workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    if fewest_pods(manifests, workload) < 2:
        yield f"{workload.name} has one pod: draining its node stops it"
    if not any(selects(one["spec"]["selector"], workload.labels) for one in manifests.of("PodDisruptionBudget")):
        yield f"{workload.name} has no PodDisruptionBudget"
    yield from _spread(workload)
    yield from differences(
        f"{workload.name} rollingUpdate", spec.get("strategy", {}).get("rollingUpdate", {}), _ROLLING
    )
    if workload.main.ports and workload.main.pre_stop_s < _STILL_SENT_S:
        yield (
            f"{workload.name} stops listening while requests are still sent to it: its preStop has to sleep "
            f"{_STILL_SENT_S} s"
        )


def _spread(workload: Workload) -> Iterator[str]:
    """One node, or one zone, has as few pods as possible."""
    pods = workload.document["spec"]["selector"]
    # One constraint alone: the scheduler ignores all of them on nodes that lack the label of one, such as a zone. The
    # hash, because pods that a rollout replaces do not count.
    wanted = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "matchLabelKeys": ["pod-template-hash"],
            "labelSelector": pods,
        }
    ]
    found = workload.pod.get("topologySpreadConstraints", [])
    if found != wanted:
        yield f"{workload.name}: topologySpreadConstraints are {found}, and have to be {wanted}"
    zones = {"weight": 100, "podAffinityTerm": {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": pods}}
    apart = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [zones]}}
    if workload.pod.get("affinity") != apart:
        yield f"{workload.name}: affinity is {workload.pod.get('affinity')}, and has to be {apart}"


def _single(workload: Workload) -> Iterator[str]:
    """With two of them, half of the processes would miss the other half's events."""
    spec = workload.document["spec"]
    if spec.get("replicas", 1) != 1 or spec.get("strategy", {}).get("type") != "Recreate":
        yield f"{workload.name} may run twice at the same time: it needs one replica and strategy Recreate"


def _lookups(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """Caddy looks a name up for each connection, and for each request where it keeps no connections open."""
    options = {one["name"]: one.get("value") for one in workload.pod.get("dnsConfig", {}).get("options", [])}
    kept = manifests.environment(workload.main).get("PLUMBLINE_UPSTREAM_KEEPALIVE") != "off"
    if not kept and (options.get("timeout") != "1" or int(options.get("attempts") or 1) < 2):
        yield f"{workload.name}: dnsConfig has to ask again after 1 s, or a lost DNS answer fails a request"


def _tries(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """With two pods, one on a lost node, every second connection fails until the cluster misses the node."""
    found = re.search(r"^\(upstream\).*?dial_timeout (\d+)s", (ROOT / CADDYFILE).read_text(), re.MULTILINE | re.DOTALL)
    patience = manifests.environment(workload.main).get("PLUMBLINE_UPSTREAM_PATIENCE", "0s")
    tries = int(patience.removesuffix("s")) // int(found[1]) if found else 0
    if tries < _TRIES:
        yield f"{workload.name} tries {tries} pods for a request: PLUMBLINE_UPSTREAM_PATIENCE has to allow {_TRIES}"


def _schedule(workload: Workload) -> Iterator[str]:
    """Two backups at once would wait for each other; a hidden zone, or a late start, would surprise at night."""
    wanted = {"concurrencyPolicy": "Forbid", "timeZone": "Etc/UTC"}
    yield from differences(workload.name, of(workload.document["spec"], wanted), wanted)
    if not workload.document["spec"].get("startingDeadlineSeconds"):
        yield f"{workload.name}: startingDeadlineSeconds has to be above 0, or a late start is skipped"


def _job(workload: Workload) -> Iterator[str]:
    spec = workload.spec
    for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if not spec.get(key):
            yield f"{workload.name}: {key} has to be above 0, to try again, to give up, and to be removed"
    if 0 < spec.get("activeDeadlineSeconds", 0) < _MIGRATING_S:
        yield f"{workload.name} is ended while it migrates: activeDeadlineSeconds has to be at least {_MIGRATING_S}"
    if workload.pod.get("restartPolicy") != "Never":
        yield f"{workload.name}: restartPolicy has to be Never, or podFailurePolicy is ignored"
    # A backup may be tried again whatever failed. A migration that failed would fail again.
    rules = [_fail_at_once("In", EXIT_CONFIG)] if workload.document["kind"] == "CronJob" else _MIGRATION_RULES
    wanted = {"podFailurePolicy": {"rules": rules}}
    yield from differences(workload.name, of(spec, wanted), wanted)


def _fail_at_once(operator: str, *codes: int) -> dict[str, object]:
    """Return the rule that a Job is not tried again after an exit code that is among these, or is not."""
    return {"action": "FailJob", "onExitCodes": {"operator": operator, "values": [*codes]}}


_MIGRATION_RULES = [
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    _fail_at_once("NotIn", EXIT_TEMPORARY, _TERMINATED),
]
