"""What the Compose file says of every container: its rights, its ports and networks, and what it waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline.components import CADDY, MIGRATING, SERVICES

_HARDENED: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "read_only": True,
    "security_opt": ["no-new-privileges:true"],
    "init": True,
}
_INSIDE, _FRONT = "inside", "front"
_DONE, _HEALTHY = "service_completed_successfully", "service_healthy"
_MIGRATIONS = [f"migrate-{name}" for name in MIGRATING]
_LOOPBACK = "127.0.0.1:"
_COMMAND = re.compile(r'^CMD \["(.*)"\]$', re.MULTILINE)


def problems(file: Mapping[str, Any], root: Path, ports: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong. `ports` tells which port each service listens on, `root` where Dockerfiles are."""
    services: dict[str, dict[str, Any]] = file["services"]
    for name, service in services.items():
        yield from _rights(name, service)
        yield from _reach(name, service)
        yield from _waits(name, service)
    for name in SERVICES:
        yield from _serves(name, services[name], root, ports[name])
    if file["networks"][_INSIDE].get("internal") is not True:
        yield f"the network {_INSIDE} is not internal: containers can reach other networks"


def _rights(name: str, service: dict[str, Any]) -> Iterator[str]:
    for option, expected in _HARDENED.items():
        if service.get(option) != expected:
            yield f"{name}: {option} is {service.get(option)}; expected {expected} in Compose"
    expected = "no" if name in _MIGRATIONS else "unless-stopped"
    if service.get("restart") != expected:
        yield f"{name}: restart is {service.get('restart')!r}; expected {expected!r} in Compose"


def _reach(name: str, service: dict[str, Any]) -> Iterator[str]:
    ports = service.get("ports", [])
    if name == CADDY.name:
        yield from (
            f"{name} publishes {one} to the network; expected {_LOOPBACK}…" for one in ports if not _is_own(one)
        )
    elif ports:
        yield f"{name} publishes {', '.join(ports)}; expected only {CADDY.name} to publish a port"
    expected = [_INSIDE, _FRONT] if name == CADDY.name else [_INSIDE]
    if service.get("networks") != expected:
        yield f"{name} is in the networks {service.get('networks')}; expected {expected}"


def _is_own(port: str) -> bool:
    return port.startswith(_LOOPBACK)


def _waits(name: str, service: dict[str, Any]) -> Iterator[str]:
    """Migrations come one after the other, then the services that need them, then Caddy."""
    expected: dict[str, str] = {}
    if name in _MIGRATIONS[1:]:
        expected = {_MIGRATIONS[_MIGRATIONS.index(name) - 1]: _DONE}
    elif name in MIGRATING:
        expected = {_MIGRATIONS[-1]: _DONE}
    elif name == CADDY.name:
        expected = dict.fromkeys(SERVICES, _HEALTHY)
    waits = service.get("depends_on", {})
    for other, condition in expected.items():
        if waits.get(other, {}).get("condition") != condition:
            yield f"{name} does not wait until {other} is {condition}"


def _serves(name: str, service: dict[str, Any], root: Path, port: str) -> Iterator[str]:
    asked = service["healthcheck"]["test"]
    if port not in asked:
        yield f"{name}: its health is asked at another port than {port}: {' '.join(asked)}"
    found = _COMMAND.search((root / service["build"]["dockerfile"]).read_text())
    if found is None or found[1] != "serve":
        yield f"{name}: its image starts {found[1] if found else 'no command'}; expected serve"
