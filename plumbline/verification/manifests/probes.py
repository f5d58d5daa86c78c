"""Probes ask paths and ports that exist, and the three probes of a container mean different things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from plumbline import ROOT
from plumbline.components import CADDY, HEALTH_PATHS, SERVICES, SPECS, ComponentSpec
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Container, Manifests, Workload
from plumbline.verification.introspection import facts
from plumbline.verification.manifests.compose import compose

_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_DEFAULTS = {"periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 1}
_CADDY_ITSELF = CADDY.port.name
"""Port on which Caddy answers by itself; on its other port it forwards requests."""
_UNREADY_S = 10
_ANSWER_S = 5
_STARTING_S = 60
"""A start on a busy machine may take this long."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every probe that is missing, asks for something that does not exist, or means the same as another."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if not workload.ends and not container.init:
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
    if container.name in SPECS:
        yield from _as_in_the_table(where, container, liveness, SPECS[container.name])
    if container.name in SERVICES:
        ready, live = HEALTH_PATHS[container.name], f"{HEALTH_PATHS[container.name]}/live"
        if startup["httpGet"]["path"] != ready:
            yield f"{where} counts as started too early: its startup probe has to ask {ready}"
        for kind, probe in (("readiness", readiness), ("liveness", liveness)):
            if probe["httpGet"]["path"] != live:
                yield f"{where}: its {kind} probe must not depend on other components: ask {live}"
    if "tcpSocket" in liveness:
        yield f"{where}: its liveness probe has to ask for an answer: a process that hangs still accepts connections"
    if _patience(liveness) < 4 * _patience(readiness):
        yield f"{where} is killed about as soon as it is unready: its liveness probe has to wait four times as long"
    if container.name in SPECS and _patience(readiness) > _UNREADY_S:
        yield f"{where} still gets requests {_patience(readiness)} s after its last answer; expected {_UNREADY_S} s"
    if container.name in SPECS and _value(liveness, "timeoutSeconds") < _ANSWER_S:
        yield f"{where}: its liveness probe has to wait {_ANSWER_S} s for an answer of a busy machine"
    if _patience(startup) < _STARTING_S:
        yield f"{where} has {_patience(startup)} s to start, and needs {_STARTING_S} s"


def _as_in_the_table(where: str, container: Container, liveness: Document, spec: ComponentSpec) -> Iterator[str]:
    wanted = {(port.number, port.protocol) for port in spec.ports}
    if {*container.ports.values()} != wanted:
        yield f"{where} has the ports {sorted(container.ports.values())}, in plumbline/components.py {sorted(wanted)}"
    if _patience(liveness) != spec.hangs_after_s:
        yield (
            f"{where} is killed after {_patience(liveness)} s without an answer, by plumbline/components.py after "
            f"{spec.hangs_after_s} s"
        )


def _asks(name: str) -> str:
    """Return the program that Compose runs as the health check of a container."""
    kind, *command = compose()["services"][name]["healthcheck"]["test"]
    if command[:2] == ["sh", "/app/alive.sh"]:
        command = command[3:]
    return str(command[0].split()[0] if kind == "CMD-SHELL" else command[0])


def _value(probe: Document, key: str) -> int:
    return int(probe.get(key, _DEFAULTS[key]))


def _patience(probe: Document) -> int:
    """Return for how many seconds a container may be silent until the probe has failed."""
    return _value(probe, "periodSeconds") * _value(probe, "failureThreshold")


def _asked(where: str, container: Container, probe: Document) -> Iterator[str]:
    if "exec" in probe:
        asks = _asks(container.name)
        if asks not in " ".join(probe["exec"]["command"]):
            yield f"{where} does not run {asks}, as the health check of Compose does"
        return
    http = probe.get("httpGet")
    port = (http or probe["tcpSocket"])["port"]
    if port not in container.ports:
        yield f"{where}: the container has no port called {port}"
    if http is None:
        return
    if http.keys() - {"path", "port"}:
        yield f"{where}: {container.name} answers plain HTTP: no scheme, host or header"
    if not _exists(container.name, http["path"]) or (container.name == CADDY.name and port != _CADDY_ITSELF):
        yield f"{where}: {container.name} has no route GET {http['path']} on port {port}"


def _exists(name: str, path: str) -> bool:
    if name in SERVICES:
        return path in _routes(name)
    if name == CADDY.name:
        return path in _caddy_paths()
    return path == "/"


@cache
def _routes(service: str) -> frozenset[str]:
    return frozenset(route.path for route in facts.services()[service].routes if route.method == "GET")


@cache
def _caddy_paths() -> frozenset[str]:
    """Return the paths that Caddy's internal listener answers by itself."""
    text = (ROOT / CADDY.settings_file).read_text()
    internal = text[text.index("PLUMBLINE_INTERNAL_PORT") :]
    return frozenset(re.findall(r"handle (/\S+) \{\s+respond 2\d\d", internal))
