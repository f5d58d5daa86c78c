"""Selectors select the pods that they are meant for, and ports lead to a program that listens there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from plumbline import ROOT
from plumbline.components import COMPONENTS
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload, selects

_FRONT_DOOR = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "front", "port": {"name": "front"}}}}
"""The only path of an Ingress: everything goes to the front door."""
_NGINX = "nginx.ingress.kubernetes.io/"
_QUIET_S = 600
"""A socket or live tail on which nothing happens for this long is not cut off."""
_MATCHER = re.compile(r"\b(?:deployment|container|job_name)=~?\"([^\"]*)\"")


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every selector that selects the wrong pods or none, and every port or name that leads nowhere."""
    for workload in manifests.workloads():
        yield from _workload(manifests, workload)
    for service in manifests.of("Service"):
        yield from _service(manifests, service)
    for budget in manifests.of("PodDisruptionBudget"):
        found = [one.name for one in manifests.workloads() if selects(budget["spec"]["selector"], one.labels)]
        if len(found) != 1:
            yield f"PodDisruptionBudget {budget['metadata']['name']} selects {len(found)} workloads, not one"
    for policy in manifests.of("NetworkPolicy"):
        if not any(selects(policy["spec"]["podSelector"], labels) for labels in manifests.pods().values()):
            yield f"networkpolicy {policy['metadata']['name']} selects no pod"
    for monitor in manifests.of("PodMonitor"):
        yield from _monitor(manifests, monitor)
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        yield from _autoscaler(manifests, scaler)
    for ingress in manifests.of("Ingress"):
        yield from _ingress(manifests, ingress)
    for rules in manifests.of("PrometheusRule"):
        yield from _rules(manifests, rules)


def _workload(manifests: Manifests, workload: Workload) -> Iterator[str]:
    spec = workload.document["spec"]
    if not workload.ends and not selects(spec["selector"], workload.labels):
        yield f"{workload.name} does not select its own pods"
    numbers = Counter(number for container in workload.containers for number in container.ports.values())
    yield from (f"{workload.name}: port {one[0]}/{one[1]} is there twice" for one, n in numbers.items() if n > 1)
    if "serviceName" in spec and spec["serviceName"] not in manifests.services():
        yield f"{workload.name}: there is no Service {spec['serviceName']}"


def _service(manifests: Manifests, service: Document) -> Iterator[str]:
    name, spec = service["metadata"]["name"], service["spec"]
    found = [one for one in manifests.workloads() if selects({"matchLabels": spec["selector"]}, one.labels)]
    if len(found) != 1:
        yield f"service {name} selects {len(found)} workloads, not one"
        return
    if spec.get("type", "ClusterIP") != "ClusterIP":
        yield f"service {name} can be reached from outside: {spec['type']}"
    listening = {key: number for one in found[0].containers if not one.init for key, number in one.ports.items()}
    for port in spec["ports"]:
        number, target = (port["port"], port.get("protocol", "TCP")), port.get("targetPort", port["port"])
        leads_to = listening.get(target) if isinstance(target, str) else (target, number[1])
        # One number for both, because settings name the Service's port, and NetworkPolicies the pod's.
        if leads_to != number or number not in listening.values():
            yield (
                f"service {name}: port {number[0]}/{number[1]} with targetPort {target} does not lead to the same port "
                f"of {found[0].name}"
            )


def _monitor(manifests: Manifests, monitor: Document) -> Iterator[str]:
    name = monitor["metadata"]["name"]
    found = [one for one in manifests.workloads() if selects(monitor["spec"]["selector"], one.labels)]
    if not found:
        yield f"monitor {name} selects no pod"
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        for workload in found:
            if endpoint["port"] not in workload.main.ports:
                yield f"monitor {name}: {workload.name} has no port {endpoint['port']}"


def _autoscaler(manifests: Manifests, scaler: Document) -> Iterator[str]:
    name, target = scaler["metadata"]["name"], scaler["spec"]["scaleTargetRef"]
    found = manifests.named(target["kind"], target["name"])
    if found is None or found["apiVersion"] != target["apiVersion"]:
        yield f"autoscaler {name}: there is no {target['kind']} {target['name']} of {target['apiVersion']}"
    elif "replicas" in found["spec"]:
        yield f"{target['kind']} {target['name']} has a number of replicas that its autoscaler contradicts"


def _ingress(manifests: Manifests, ingress: Document) -> Iterator[str]:
    name = ingress["metadata"]["name"]
    hosts = {host for tls in ingress["spec"].get("tls", []) for host in tls["hosts"]}
    for rule in ingress["spec"]["rules"]:
        host = rule.get("host", "every host")
        if host not in hosts:
            yield f"ingress {name}: no certificate for {host}"
        if host.endswith(".invalid"):
            yield f"ingress {name}: {host} stands for the host name that the overlay has to set"
        if rule["http"]["paths"] != [_FRONT_DOOR]:
            yield f"ingress {name}: its paths are {rule['http']['paths']}, and have to be {[_FRONT_DOOR]}"
    if not any(port.get("name") == "front" for port in manifests.services()["front"]["spec"]["ports"]):
        yield f"ingress {name}: Service front has no port front"
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
    """Return the largest body that the Caddyfile lets in, in MB."""
    text = (ROOT / "docker" / "caddy" / "Caddyfile").read_text()
    return max(int(size) for size in re.findall(r"max_size (\d+)MB", text))


def _rules(manifests: Manifests, rules: Document) -> Iterator[str]:
    """An alert never fires if its expression names a workload or container that is not there."""
    there = {one.document["metadata"]["name"] for one in manifests.workloads()} | {*COMPONENTS}
    for rule in (one for group in rules["spec"]["groups"] for one in group["rules"]):
        for name in sorted({name for names in _MATCHER.findall(rule["expr"]) for name in names.split("|")} - there):
            yield f"alert {rule['alert']}: nothing is called {name}"
