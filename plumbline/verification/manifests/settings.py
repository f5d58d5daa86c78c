"""Each container reads the settings that it is given, and each address and file in them exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_network

from servicekit.rotating import ALSO

from plumbline import ROOT
from plumbline.components import BACKEND, CADDY, PORTS, TABLE
from plumbline.targets.kubernetes.model import BACKUP, Container, Manifests, Workload
from plumbline.verification.introspection import facts

PREFIX = "PLUMBLINE_"
_LIBPQ = frozenset({"PGSSLMODE", "PGSSLROOTCERT"})
"""Read by the Postgres driver itself, for what no setting says."""
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LISTENING = tuple(port.setting for port in PORTS.values())
_IDENTITY = "PLUMBLINE_STACK_ID"
_COSTS_REQUESTS = {
    "PLUMBLINE_UPSTREAM_PATIENCE": "0s",
    "PLUMBLINE_UPSTREAM_KEEPALIVE": "30s",
    "PLUMBLINE_SHUTDOWN_DELAY": "0s",
}
"""The Caddyfile's defaults. They suit a stack whose containers are not replaced while requests arrive."""
_WIDEST = {4: 8, 6: 7}
"""Shortest prefixes of private networks."""
_KEEPALIVE = "PLUMBLINE_UPSTREAM_KEEPALIVE"
_READ_BY = {one.image_name: one.settings_file for one in TABLE if one.settings_file}
"""The file that reads the settings of an image without a service."""
_BACKUP = "docker/postgres/backup.sh"
_ADDRESS = re.compile(r"(?:\w+://)?(?P<host>[a-z][a-z0-9-]*):(?P<port>\d+)(?:/.*)?")


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every setting that its program does not read, that is missing, or that points to nothing."""
    for workload in manifests.workloads():
        for container in workload.containers:
            where = f"{workload.name} {container.name}"
            environment = manifests.environment(container)
            known = _mentioned(_BACKUP) if container.name == BACKUP else read_by(container.image)
            if known is None:
                continue  # not an image of ours
            unknown = {name for name in environment if name not in known}
            yield from (f"{where}: {container.image} reads no setting {name}" for name in sorted(unknown))
            yield from _required(where, container, environment)
            yield from _values(where, container, environment)
            yield from _files(where, container, workload, environment)
            yield from _addresses(where, manifests, environment)
    yield from _front(manifests)


def _front(manifests: Manifests) -> Iterator[str]:
    """Settings of the front door and of sessions for rollouts behind them and an ingress in front of them."""
    told = {
        one.component: manifests.environment(one.main)
        for one in manifests.workloads()
        if one.component in (CADDY.name, BACKEND.name)
    }
    caddy, backend = told.get(CADDY.name, {}), told.get(BACKEND.name, {})
    for name, harmful in _COSTS_REQUESTS.items():
        if caddy.get(name, harmful) == harmful:
            yield f"a rollout costs requests: {name} of caddy is missing, or {harmful}"
    if caddy.get(_KEEPALIVE) not in (None, "off"):
        yield f"a rollout costs requests: {_KEEPALIVE} of caddy is {caddy[_KEEPALIVE]}; expected off"
    for network in caddy.get("PLUMBLINE_FRONT_TRUSTED_PROXIES", "").split():
        if ip_network(network).prefixlen < _WIDEST[ip_network(network).version]:
            yield f"caddy trusts client addresses from {network}; expected only networks of the cluster"
    if any(manifests.of("Ingress")):
        if not caddy.get("PLUMBLINE_FRONT_TRUSTED_PROXIES"):
            yield "every client has the address of the ingress: PLUMBLINE_FRONT_TRUSTED_PROXIES is missing"
        if backend.get("PLUMBLINE_COOKIE_SECURE") != "true":
            yield "browsers send session cookies without TLS, too: PLUMBLINE_COOKIE_SECURE is not true"


def read_by(image: str) -> frozenset[str] | None:
    """Return the names of all settings that the program in an image of ours reads; None for an image of others."""
    service = image.removeprefix("plumbline/")
    if service in facts.PROBES:
        return frozenset(one.variable for one in facts.services()[service].settings) | _LIBPQ
    place = _READ_BY.get(service)
    return _mentioned(place) if place and image != service else None


@cache
def _mentioned(place: str) -> frozenset[str]:
    """Variables that a Caddyfile ({$NAME}) or a shell script (${NAME}, $NAME) reads."""
    return frozenset(re.findall(rf"\$\{{?({PREFIX}[A-Z_]+)", (ROOT / place).read_text()))


def _values(where: str, container: Container, environment: dict[str, str]) -> Iterator[str]:
    """Values have the type of their setting, and a program listens on a port of its container."""
    service = container.image.removeprefix("plumbline/")
    types = {one.variable: one.type for one in facts.services()[service].settings} if service in facts.PROBES else {}
    for name, value in environment.items():
        if not _fits(types.get(name, ""), value):
            yield f"{where}: {name} is {value!r}, not {types[name]}"
    if environment.get("PGSSLMODE", "prefer") not in _SSL_MODES:
        yield f"{where}: PGSSLMODE is {environment['PGSSLMODE']!r}, none of {', '.join(_SSL_MODES)}"
    numbers = {str(number) for number, _ in container.ports.values()}
    for name in _LISTENING:
        if numbers and name in environment and environment[name] not in numbers:
            yield f"{where}: listens on {environment[name]} ({name}), which is none of its ports"


def _fits(wanted: str, value: str) -> bool:
    if wanted.startswith("integer"):
        return value.isdecimal()
    if wanted.startswith("number"):
        return value.replace(".", "", 1).isdecimal()
    if wanted.startswith("true or false"):
        return value in ("true", "false")
    return not wanted.startswith("one of ") or value in wanted.removeprefix("one of ").split(", ")


def _required(where: str, container: Container, environment: dict[str, str]) -> Iterator[str]:
    service = container.image.removeprefix("plumbline/")
    if service in facts.PROBES:
        needed = [one.variable for one in facts.services()[service].settings if one.default is None]
        # The identity has a default, but with it a process that was left running could pass for this one.
        yield from (f"{where}: setting {name} is missing" for name in [*needed, _IDENTITY] if name not in environment)


def _files(where: str, container: Container, workload: Workload, environment: dict[str, str]) -> Iterator[str]:
    """Each `*_FILE` setting names a secret file that is mounted, and each mounted one is named."""
    volumes = {one["name"]: one for one in workload.pod.get("volumes", [])}
    there = {
        f"{mount['mountPath']}/{item['path']}"
        for mount in container.spec.get("volumeMounts", [])
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", [])
    }
    for name, value in environment.items():
        if name.endswith("_FILE") and value not in there:
            yield f"{where}: {name} is {value}, where no secret is mounted"
    named = {*environment.values(), *(value + ALSO for value in environment.values())}
    yield from (f"{where} can read {file}, and no setting names it" for file in sorted(there - named))


def _addresses(where: str, manifests: Manifests, environment: dict[str, str]) -> Iterator[str]:
    services = manifests.services()
    for name, value in environment.items():
        match = _ADDRESS.fullmatch(value)
        if match is None:
            continue
        service = services.get(match["host"])
        if service is None:
            yield f"{where}: {name} is {value}, and there is no Service {match['host']}"
        elif int(match["port"]) not in {port["port"] for port in service["spec"]["ports"]}:
            yield f"{where}: {name} is {value}, and Service {match['host']} has no such port"
    host = environment.get("PLUMBLINE_POSTGRES_HOST", "")
    if host and "." not in host and host not in services:
        yield f"{where}: PLUMBLINE_POSTGRES_HOST is {host}, and there is no such Service"
