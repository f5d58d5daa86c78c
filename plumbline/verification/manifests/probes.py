"""Probes ask paths that exist, on ports that are there, and the three of a container mean different things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from plumbline import ROOT
from plumbline.plan import HEALTH_PATHS, SERVICES
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Container, Manifests, Workload
from plumbline.verification.introspection import facts
from plumbline.verification.manifests.compose import compose

_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_DEFAULTS = {"periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 1}
_CADDY_ITSELF = "internal"
"""Port on which Caddy answers for itself; on the other one it passes questions on."""
_STARTING_S = 60
"""A start on a busy machine takes this long at least."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every probe that is missing, asks for nothing that exists, or says the same as another."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if workload.document["kind"] != "Job" and not container.init:
                yield from _container(workload, container)


def _container(workload: Workload, container: Container) -> Iterator[str]:
    where = f"{workload.name} {container.name}"
    there = {kind: container.spec[kind] for kind in _KINDS if kind in container.spec}
    yield from (f"{where} has no {kind}" for kind in _KINDS if kind not in there)
    for kind, probe in there.items():
        yield from _asked(f"{where} {kind}", container, probe)
    if len(there) < len(_KINDS):
        return
    startup, readiness, liveness = (there[kind] for kind in _KINDS)
    if container.name in SERVICES:
        ready, live = HEALTH_PATHS[container.name], f"{HEALTH_PATHS[container.name]}/live"
        if startup["httpGet"]["path"] != ready:
            yield f"{where} counts as started before {ready} says that it can serve"
        for kind, probe in (("readiness", readiness), ("liveness", liveness)):
            if probe["httpGet"]["path"] != live:
                yield f"{where}: its {kind} must not depend on others: ask {live}"
    if "tcpSocket" in liveness:
        yield f"{where}: one that hangs takes connections all the same: its liveness has to ask for an answer"
    if _patience(liveness) < 4 * _patience(readiness):
        yield f"{where} is killed about as soon as it is unready: liveness has to be the more patient by far"
    if _patience(startup) < _STARTING_S:
        yield f"{where} gets {_patience(startup)} s to start: give it {_STARTING_S} s"


def _asks(name: str) -> str:
    """The program by which Compose asks a container how it is."""
    kind, *command = compose()["services"][name]["healthcheck"]["test"]
    if command[:2] == ["sh", "/app/alive.sh"]:
        command = command[3:]
    return str(command[0].split()[0] if kind == "CMD-SHELL" else command[0])


def _value(probe: Document, key: str) -> int:
    return int(probe.get(key, _DEFAULTS[key]))


def _patience(probe: Document) -> int:
    """Seconds of silence until the probe has failed for good."""
    return _value(probe, "periodSeconds") * _value(probe, "failureThreshold")


def _asked(where: str, container: Container, probe: Document) -> Iterator[str]:
    if "exec" in probe:
        asks = _asks(container.name)
        if asks not in " ".join(probe["exec"]["command"]):
            yield f"{where} does not ask {container.name}: {asks}"
        return
    http = probe.get("httpGet")
    port = (http or probe["tcpSocket"])["port"]
    if port not in container.ports:
        yield f"{where}: the container has no port called {port}"
    if http is None:
        return
    if http.keys() - {"path", "port"}:
        yield f"{where}: plain HTTP, to the pod itself, is what {container.name} answers: no scheme, host or header"
    if not _exists(container.name, http["path"]) or (container.name == "caddy" and port != _CADDY_ITSELF):
        yield f"{where}: {container.name} has no route GET {http['path']} on port {port}"


def _exists(name: str, path: str) -> bool:
    if name in SERVICES:
        return path in _routes(name)
    if name == "caddy":
        return path in _caddy_paths()
    return path == "/"


@cache
def _routes(service: str) -> frozenset[str]:
    return frozenset(route.path for route in facts.services()[service].routes if route.method == "GET")


@cache
def _caddy_paths() -> frozenset[str]:
    """Paths that Caddy's internal listener answers itself."""
    text = (ROOT / "docker" / "caddy" / "Caddyfile").read_text()
    internal = text[text.index("PLUMBLINE_INTERNAL_PORT") :]
    return frozenset(re.findall(r"handle (/\S+) \{\s+respond 2\d\d", internal))
