"""Selectors select what they mean, and ports lead to somebody who listens."""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline import ROOT
from plumbline.plan import COMPONENTS
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload, selects

DOOR = ("front", "front")
"""Service and port: the only way in from outside."""
_NGINX = "nginx.ingress.kubernetes.io/"
_QUIET_S = 600
"""A socket or live tail on which nothing happens for this long is not cut off."""
_MATCHER = re.compile(r"\b(?:deployment|container|job_name)=~?\"([^\"]*)\"")


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every selector that misses, every port that leads nowhere, every name that two things bear."""
    yield from _names(manifests)
    for workload in manifests.workloads():
        yield from _own_pods(workload)
        yield from _numbers(workload)
    for service in manifests.of("Service"):
        yield from _service(manifests, service)
    for budget in manifests.of("PodDisruptionBudget"):
        yield from _one_workload(manifests, budget, budget["spec"]["selector"])
    for policy in manifests.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        if not any(selects(selector, labels) for labels in manifests.pods().values()):
            yield f"networkpolicy {policy['metadata']['name']} selects no pod"
    for monitor in manifests.of("PodMonitor"):
        yield from _monitor(manifests, monitor)
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        found = manifests.named(target["kind"], target["name"])
        if found is None:
            yield f"autoscaler {scaler['metadata']['name']}: there is no {target['kind']} {target['name']}"
        elif found["apiVersion"] != target["apiVersion"]:
            yield f"autoscaler {scaler['metadata']['name']}: {target['name']} is of {found['apiVersion']}"
        elif "replicas" in found["spec"]:
            yield f"{target['kind']} {target['name']} has a number of replicas that its autoscaler contradicts"
    for ingress in manifests.of("Ingress"):
        yield from _ingress(manifests, ingress)
    for stateful in manifests.of("StatefulSet"):
        if stateful["spec"]["serviceName"] not in manifests.services():
            yield f"statefulset/{stateful['metadata']['name']}: there is no Service {stateful['spec']['serviceName']}"
    for rules in manifests.of("PrometheusRule"):
        yield from _rules(manifests, rules)


def _names(manifests: Manifests) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for one in manifests.documents:
        key = (one["kind"], one["metadata"]["name"])
        if key in seen:
            yield f"two of {key[0]} {key[1]}"
        seen.add(key)


def _own_pods(workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    if workload.document["kind"] != "Job" and not selects(spec["selector"], workload.labels):
        yield f"{workload.name} does not select its own pods"
    for spread in workload.pod.get("topologySpreadConstraints", []):
        if not selects(spread["labelSelector"], workload.labels):
            yield f"{workload.name}: its topology spread counts the pods of somebody else"


def _numbers(workload: Workload) -> Iterator[str]:
    taken: set[tuple[int, str]] = set()
    for container in workload.containers:
        for number in container.ports.values():
            if number in taken:
                yield f"{workload.name}: port {number[0]}/{number[1]} is there twice"
            taken.add(number)


def _service(manifests: Manifests, service: Document) -> Iterator[str]:
    name = service["metadata"]["name"]
    found = [one for one in manifests.workloads() if selects({"matchLabels": service["spec"]["selector"]}, one.labels)]
    if len(found) != 1:
        yield f"service {name} selects the pods of {len(found)} workloads, not of one"
        return
    if service["spec"].get("type", "ClusterIP") != "ClusterIP":
        yield f"service {name} can be reached from outside: {service['spec']['type']}"
    listening = {key: number for one in found[0].containers if not one.init for key, number in one.ports.items()}
    for port in service["spec"]["ports"]:
        target, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
        there = listening.get(target) if isinstance(target, str) else (target, protocol)
        if there not in listening.values():
            yield f"service {name}: nobody listens on its targetPort {target}"
        elif there is not None and there[1] != protocol:
            yield f"service {name}: targetPort {target} is {there[1]}, not {protocol}"
        elif there is not None and there[0] != port["port"]:
            # Settings name the one, NetworkPolicies the other.
            yield f"service {name}: port {port['port']} leads to {there[0]}: let both be one number"


def _one_workload(manifests: Manifests, document: Document, selector: Document) -> Iterator[str]:
    found = [one.name for one in manifests.workloads() if selects(selector, one.labels)]
    if len(found) != 1:
        name = f"{document['kind']} {document['metadata']['name']}"
        yield f"{name} selects the pods of {len(found)} workloads, not of one"


def _monitor(manifests: Manifests, monitor: Document) -> Iterator[str]:
    name = monitor["metadata"]["name"]
    found = [one for one in manifests.workloads() if selects(monitor["spec"]["selector"], one.labels)]
    if not found:
        yield f"monitor {name} selects no pod"
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        for workload in found:
            if endpoint["port"] not in workload.main.ports:
                yield f"monitor {name}: {workload.name} has no port {endpoint['port']}"


def _ingress(manifests: Manifests, ingress: Document) -> Iterator[str]:
    name, services = ingress["metadata"]["name"], manifests.services()
    hosts = {host for tls in ingress["spec"].get("tls", []) for host in tls["hosts"]}
    for rule in ingress["spec"]["rules"]:
        host = rule.get("host", "every host")
        if host not in hosts:
            yield f"ingress {name}: no certificate for {host}"
        if host.endswith(".invalid"):
            yield f"ingress {name}: nobody has said for which host"
        if [(path["path"], path["pathType"]) for path in rule["http"]["paths"]] != [("/", "Prefix")]:
            yield f"ingress {name} leads only a part of all paths to the front door"
        for path in rule["http"]["paths"]:
            wanted = path["backend"]["service"]
            service = services.get(wanted["name"])
            if service is None:
                yield f"ingress {name}: there is no Service {wanted['name']}"
                continue
            ports = {key for port in service["spec"]["ports"] for key in (port.get("name"), port["port"])}
            if not ports & set(wanted["port"].values()):
                yield f"ingress {name}: Service {wanted['name']} has no port {wanted['port']}"
            elif (wanted["name"], wanted["port"].get("name")) != DOOR:
                yield f"ingress {name} leads past the front door, to {wanted['name']}"
    said = ingress["metadata"].get("annotations", {})
    if _megabytes(said.get(f"{_NGINX}proxy-body-size", "1m")) < _largest_body():
        yield f"ingress {name} takes smaller bodies than the front door: proxy-body-size"
    for key in ("proxy-read-timeout", "proxy-send-timeout"):
        if int(said.get(f"{_NGINX}{key}", "60")) < _QUIET_S:
            yield f"ingress {name} cuts off quiet sockets and live tails: {key}"
    if said.get(f"{_NGINX}proxy-buffering") != "off":
        yield f"ingress {name} holds back live tails: proxy-buffering"


def _megabytes(size: str) -> int:
    return int(size.removesuffix("m"))


def _largest_body() -> int:
    """What the Caddyfile lets in, in MB."""
    text = (ROOT / "docker" / "caddy" / "Caddyfile").read_text()
    return max(int(size) for size in re.findall(r"max_size (\d+)MB", text))


def _rules(manifests: Manifests, rules: Document) -> Iterator[str]:
    """Names in expressions: an alarm about something that is called otherwise never rings."""
    there = {one.document["metadata"]["name"] for one in manifests.workloads()} | {*COMPONENTS}
    for rule in (one for group in rules["spec"]["groups"] for one in group["rules"]):
        for name in sorted({name for names in _MATCHER.findall(rule["expr"]) for name in names.split("|")} - there):
            yield f"alert {rule['alert']}: nothing is called {name}"
