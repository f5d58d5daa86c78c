"""What the Compose file says of every container: its rights, ports, networks, health checks and what it waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from servicekit.facts import FRONT_PORT

from plumbline.components import CADDY, COMPONENTS, MIGRATING, POSTGRES, REDIS, SERVICES, SPECS, WORKER, ComponentSpec
from plumbline.secret_files import readable_by

_HARDENED: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "read_only": True,
    "security_opt": ["no-new-privileges:true"],
    "init": True,
    "pids_limit": 256,
    "logging": {
        "driver": "json-file",
        "options": {"max-size": "10m", "max-file": "3", "mode": "non-blocking", "max-buffer-size": "4m"},
    },
}
"""What every container has."""
_OPTIONS = frozenset({
    *_HARDENED, "build", "command", "depends_on", "env_file", "environment", "image", "mem_limit", "memswap_limit",
    "networks", "ports", "restart", "secrets", "stop_grace_period", "tmpfs",
})  # fmt: skip
_OWN_OPTIONS = {POSTGRES.name: {"shm_size", "volumes"}}
"""Options of one container alone. Any other option would give it more rights, or start something else."""
_DATA = ["postgres-data:/var/lib/postgresql/data"]
_INSIDE, _FRONT = "inside", "front"
_DONE, _HEALTHY = "service_completed_successfully", "service_healthy"
_MIGRATIONS = [f"migrate-{name}" for name in MIGRATING]
_PUBLISHED = [f"127.0.0.1:{FRONT_PORT}:{FRONT_PORT}"]
_COMMAND = re.compile(r'^CMD \["(.*)"\]$', re.MULTILINE)
_TIMES = {"interval": "5s", "timeout": "6s", "retries": 3, "start_period": "30s"}
_CHECKS_BEFORE_KILLED = {POSTGRES.name: "20", WORKER.name: "3"}
_ASKED = {
    POSTGRES.name: [
        "pg_isready", "--quiet", "--timeout=3", "--host=127.0.0.1", "--username=app_user", "--dbname=app_db",
    ],
    REDIS.name: ["/opt/plumbline/redis.sh", "probe"],
    WORKER.name: ["sh", "-c", 'find /tmp/worker.heartbeat -newermt "-10 seconds" | grep -q . || exit 2'],
    CADDY.name: ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9000/health/live"],
}  # fmt: skip
"""What asks a component for its health, if it is none of the services."""


def problems(file: Mapping[str, Any], root: Path) -> Iterator[str]:
    """Yield what is wrong. `root` tells where Dockerfiles are."""
    services: dict[str, dict[str, Any]] = file["services"]
    for name, service in services.items():
        yield from _rights(name, service)
        yield from _reach(name, service)
        yield from _waits(name, service)
        yield from _secrets(name, service)
    for name in COMPONENTS:
        yield from _health(name, services[name])
    for name in SERVICES:
        found = _COMMAND.search((root / services[name]["build"]["dockerfile"]).read_text())
        if found is None or found[1] != "serve":
            yield f"{name}: its image starts {found[1] if found else 'no command'}; expected serve"
    if file["networks"][_INSIDE].get("internal") is not True:
        yield f"the network {_INSIDE} is not internal: containers can reach other networks"
    for name, secret in file["secrets"].items():
        if secret["file"] != "/dev/null" and not secret["file"].endswith(f"/{name}"):
            yield f"the secret {name} is the file {secret['file']}; expected one called {name}"


def _spec(name: str) -> ComponentSpec:
    return SPECS[name.removeprefix("migrate-")]


def _rights(name: str, service: dict[str, Any]) -> Iterator[str]:
    own = {"healthcheck"} if name in COMPONENTS else set()
    command = ["migrate"] if name in _MIGRATIONS else [WORKER.command] if name == WORKER.name else None
    for option in sorted(service.keys() - _OPTIONS - own - _OWN_OPTIONS.get(name, set())):
        yield f"{name}: has the option {option} ({service[option]}); expected no such option in Compose"
    grace = f"{SPECS[name].stop_wait_s if name in SPECS else 15}s"
    restart = "no" if name in _MIGRATIONS else "unless-stopped"
    image = f"plumbline/{_spec(name).image_name}:local"
    expected = {**_HARDENED, "command": command, "restart": restart, "stop_grace_period": grace, "image": image}
    if name == POSTGRES.name:
        expected["volumes"] = _DATA
    for option, value in expected.items():
        if service.get(option) != value:
            yield f"{name}: {option} is {service.get(option)!r}; expected {value!r} in Compose"
    if service.get("memswap_limit") != service.get("mem_limit"):
        yield f"{name}: memswap_limit is {service.get('memswap_limit')}; expected mem_limit, so that nothing is swapped"
    for place in service.get("tmpfs", []):
        if "size=" not in place:
            yield f"{name}: the tmpfs {place} has no size; expected one, because it is memory"


def _reach(name: str, service: dict[str, Any]) -> Iterator[str]:
    ports = service.get("ports", [])
    if ports != (_PUBLISHED if name == CADDY.name else []):
        expected = _PUBLISHED[0] if name == CADDY.name else f"only {CADDY.name} to publish a port"
        yield f"{name} publishes {', '.join(ports) or 'nothing'}; expected {expected}"
    networks = [_INSIDE, _FRONT] if name == CADDY.name else [_INSIDE]
    if service.get("networks") != networks:
        yield f"{name} is in the networks {service.get('networks')}; expected {networks}"


def _waits(name: str, service: dict[str, Any]) -> Iterator[str]:
    """The stores and the recorder come first, then the migrations in turn, the services that need them, and Caddy."""
    expected: dict[str, str] = {}
    if name in _MIGRATIONS:
        at = _MIGRATIONS.index(name)
        before = {_MIGRATIONS[at - 1]: _DONE} if at else {POSTGRES.name: _HEALTHY, "log-sink": _HEALTHY}
        expected = before
    else:
        expected = dict.fromkeys(SPECS[name].needs, _HEALTHY)
        if SPECS[name].needs_schema:
            expected[_MIGRATIONS[-1]] = _DONE
    waits = {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
    for other in sorted(expected.keys() | waits.keys()):
        if other not in expected:
            yield f"{name} waits for {other}; expected it not to"
        elif waits.get(other) != expected[other]:
            yield f"{name} does not wait until {other} is {expected[other]}"


def _secrets(name: str, service: dict[str, Any]) -> Iterator[str]:
    """A container gets the secrets that it reads, and each variable names the file of its own secret."""
    spec = _spec(name)
    own = {*spec.secrets, *(spec.migration_secrets if name in _MIGRATIONS else ())}
    expected = {*readable_by(own)} if spec.package else own
    found = {*service.get("secrets", [])}
    for secret in sorted(found - expected):
        yield f"{name} is given the secret {secret}; expected only {', '.join(sorted(expected))}"
    yield from (f"{name} is not given the secret {secret}" for secret in sorted(expected - own - found))
    for secret in sorted(own):
        variable = f"PLUMBLINE_{secret.upper()}_FILE"
        told = service.get("environment", {}).get(variable)
        if secret not in found or told != f"/run/secrets/{secret}":
            yield f"{name} is told {variable}={told}; expected /run/secrets/{secret}, and to be given the secret"


def _health(name: str, service: dict[str, Any]) -> Iterator[str]:
    check = dict(service.get("healthcheck", {}))
    test = check.pop("test", [])
    for option in sorted(check.keys() | _TIMES.keys()):
        if check.get(option) != _TIMES.get(option):
            yield f"{name}: {option} of its health check is {check.get(option)}; expected {_TIMES.get(option)}"
    spec = SPECS[name]
    asked = _ASKED.get(name) or ["python", "-ISE", "/app/probe.py", str(spec.port.number), spec.health_path]
    expected = ["CMD", "sh", "/app/alive.sh", _CHECKS_BEFORE_KILLED.get(name, "6"), *asked]
    if test != expected:
        yield f"{name}: its health check is {' '.join(test) or 'missing'}; expected {' '.join(expected)}"
