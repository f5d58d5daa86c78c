"""The NetworkPolicies allow exactly the connections that the architecture shows. They are computed, not compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from plumbline.components import BACKEND, BASELINE, CADDY, MIGRATION_CALLS, OWNERS, PORTS, POSTGRES, REDIS
from plumbline.plan import ON_BASELINE, TODAY, Lineup
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.migration import JOB
from plumbline.targets.kubernetes.model import BACKUP, Manifests, selects

DNS = "cluster DNS"
ANYWHERE = "anywhere"
PROMETHEUS = "monitoring"
OPERATOR = "cnpg-system"
_DENIES_ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


class Arrow(NamedTuple):
    """`source` may reach `target` on `port`."""

    source: str
    target: str
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}/{self.protocol}"


def _to(source: str, port: str) -> Arrow:
    return Arrow(source, OWNERS[port], PORTS[port].number, PORTS[port].protocol)


def _within(lineup: Lineup) -> Iterator[Arrow]:
    listening = {port.name: (one.name, port) for one in lineup.table for port in one.ports}
    yield Arrow(ANYWHERE, CADDY.name, PORTS["front"].number)
    for one in lineup.table:
        for called in one.calls:
            owner, port = listening[lineup.answers_at(called)]
            yield Arrow(one.name, owner, port.number, port.protocol)


ARCHITECTURE = frozenset({*_within(TODAY), *(_to(JOB, port) for port in MIGRATION_CALLS)})
"""The arrows of docs/architecture.md. `expected` adds DNS for each component that looks names up."""

_MONITORING = {
    Arrow(PROMETHEUS, "postgres-exporter", 9187),
    Arrow(PROMETHEUS, "redis-exporter", 9121),
    _to("postgres-exporter", "postgres"),
    _to("redis-exporter", "redis"),
}
_CLUSTER = {
    _to(POSTGRES.name, "postgres"),
    _to(OPERATOR, "postgres"),
    Arrow(OPERATOR, POSTGRES.name, 8000),
    Arrow(POSTGRES.name, ANYWHERE, 443),
    Arrow(POSTGRES.name, ANYWHERE, 6443),
}
# Outside pods: name, namespace labels, pod labels.
_OTHERS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    DNS: ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"}),
    PROMETHEUS: ({"kubernetes.io/metadata.name": "monitoring"}, {"app.kubernetes.io/name": "prometheus"}),
    OPERATOR: ({"kubernetes.io/metadata.name": "cnpg-system"}, {"app.kubernetes.io/name": "cloudnative-pg"}),
    ANYWHERE: ({"kubernetes.io/metadata.name": "elsewhere"}, {"app": "anything"}),
}


def expected(manifests: Manifests) -> frozenset[Arrow]:
    """Return the arrows that have to be allowed, given which components there are."""
    pods = manifests.pods()
    on_baseline = BASELINE.name in pods
    arrows = set(_within(ON_BASELINE)) if on_baseline else set(ARCHITECTURE)
    asking = [name for name in pods if name not in (POSTGRES.name, REDIS.name)]
    if "redis-exporter" in pods:
        arrows |= _MONITORING
    if BACKUP in pods:
        arrows.add(_to(BACKUP, "postgres"))
    if any(manifests.of("Cluster")):
        arrows |= _CLUSTER
        asking.append(POSTGRES.name)
    if POSTGRES.name not in pods and not on_baseline:
        told = manifests.environment(manifests.workload(BACKEND.name).main)
        port = int(told.get("PLUMBLINE_POSTGRES_PORT", POSTGRES.port.number))
        arrows = {Arrow(one.source, ANYWHERE, port) if one.target == POSTGRES.name else one for one in arrows}
    return frozenset(arrows | {Arrow(name, DNS, 53, protocol) for name in asking for protocol in ("TCP", "UDP")})


def reachable(manifests: Manifests) -> frozenset[Arrow]:
    """Compute every arrow that the policies allow, between pods of the stack and to and from everything else."""
    policies = [one["spec"] for one in manifests.of("NetworkPolicy")]
    own = manifests.pods()
    ports = sorted(_ports(policies))
    found = set()
    for source in (*own, *_OTHERS):
        for target in (*own, *_OTHERS):
            if source not in own and target not in own:
                continue
            for port, protocol in ports:
                leaves = source not in own or _allows(
                    policies, "Egress", own[source], _peer(own, target), port, protocol
                )
                enters = target not in own or _allows(
                    policies, "Ingress", own[target], _peer(own, source), port, protocol
                )
                if leaves and enters:
                    found.add(Arrow(source, target, port, protocol))
    # What is allowed with anywhere outside is allowed with each of the others outside, too.
    general = {(one.source, one.target, one.port, one.protocol) for one in found}
    return frozenset(
        one
        for one in found
        if not (one.source in _OTHERS and one.source != ANYWHERE and (ANYWHERE, *one[1:]) in general)
        and not (one.target in _OTHERS and one.target != ANYWHERE and (one.source, ANYWHERE, *one[2:]) in general)
    )


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every arrow that is missing, and every one that should not be allowed."""
    there, wanted = reachable(manifests), expected(manifests)
    yield from (f"the policies stop {arrow}" for arrow in sorted(wanted - there))
    yield from (f"the policies allow {arrow}, which the architecture does not" for arrow in sorted(there - wanted))
    yield from _one_sided(manifests, wanted)
    if not any(one["spec"] == _DENIES_ALL for one in manifests.of("NetworkPolicy")):
        yield "no policy denies all other traffic of every pod, in and out"


def _one_sided(manifests: Manifests, wanted: frozenset[Arrow]) -> Iterator[str]:
    """Yield what one side allows although only the other side's policy stops it: each has to be right by itself."""
    policies = [one["spec"] for one in manifests.of("NetworkPolicy")]
    own = manifests.pods()
    for source in own:
        for target in own:
            for port, protocol in sorted(_ports(policies)):
                arrow = Arrow(source, target, port, protocol)
                enters = _allows(policies, "Ingress", own[target], _peer(own, source), port, protocol)
                if enters and not wanted & {arrow, arrow._replace(source=ANYWHERE)}:
                    yield f"the policies of {target} let in {arrow}, which the architecture does not"
                leaves = _allows(policies, "Egress", own[source], _peer(own, target), port, protocol)
                if leaves and not wanted & {arrow, arrow._replace(target=ANYWHERE)}:
                    yield f"the policies of {source} let out {arrow}, which the architecture does not"


def _ports(policies: list[Document]) -> set[tuple[int, str]]:
    """Return every port in a rule, with the ends of ranges, and port 1 for rules without ports."""
    named = {(1, "TCP"), (1, "UDP")}
    for policy in policies:
        for rule in (*(policy.get("ingress") or []), *(policy.get("egress") or [])):
            for one in rule.get("ports") or []:
                first, last, protocol = _range(one)
                named |= {(first, protocol), (last, protocol)}
    return named


def _range(port: Document) -> tuple[int, int, str]:
    """First and last port, and protocol, of an entry of a rule. Without a number it means every port."""
    first = port.get("port", 1)
    if not isinstance(first, int):
        raise ValueError(f"the policies name the port {first!r}: not every network knows ports by name, use the number")  # noqa: TRY004
    return first, int(port.get("endPort", first if "port" in port else 65535)), str(port.get("protocol", "TCP"))


def _peer(own: dict[str, dict[str, str]], name: str) -> tuple[dict[str, str] | None, dict[str, str]]:
    """Labels of the namespace (None: our own) and of the pod."""
    return (None, own[name]) if name in own else _OTHERS[name]


def _allows(
    policies: list[Document], direction: str, labels: dict[str, str],
    peer: tuple[dict[str, str] | None, dict[str, str]], port: int, protocol: str,
) -> bool:  # fmt: skip
    """Decide as Kubernetes does: yes if no policy of this direction selects the pod, or if a rule of one allows it."""
    about = [one for one in policies if direction in _directions(one) and selects(one["podSelector"], labels)]
    if not about:
        return True
    side = "from" if direction == "Ingress" else "to"
    for policy in about:
        for rule in policy.get(direction.lower()) or []:
            ports = rule.get("ports")
            if ports and not any(
                first <= port <= last and protocol == theirs for first, last, theirs in map(_range, ports)
            ):
                continue
            if not rule.get(side) or any(_matches(one, peer) for one in rule[side]):
                return True
    return False


def _directions(policy: Document) -> list[str]:
    """Return the directions of a policy. The default is Ingress, and Egress if it has rules for that."""
    found: list[str] = policy.get("policyTypes") or ["Ingress", *(["Egress"] if policy.get("egress") else [])]
    return found


def _matches(rule: Document, peer: tuple[dict[str, str] | None, dict[str, str]]) -> bool:
    namespace, labels = peer
    if "ipBlock" in rule:
        # Addresses outside the cluster, which ANYWHERE stands for.
        return namespace == _OTHERS[ANYWHERE][0]
    if "namespaceSelector" in rule:
        in_namespace = namespace is not None and selects(rule["namespaceSelector"], namespace)
    else:
        in_namespace = namespace is None
    return in_namespace and ("podSelector" not in rule or selects(rule["podSelector"], labels))
