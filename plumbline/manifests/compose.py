"""Kubernetes and Compose describe one stack: the same images, the same defaults, the same bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from servicekit import facts

from plumbline import ROOT
from plumbline.manifests.model import Container, Manifests
from plumbline.manifests.quantities import parse
from plumbline.plan import COMPONENTS

DIFFERENT = {
    "PLUMBLINE_STACK_ID": "each deployment has its own",
    "PLUMBLINE_POSTGRES_HOST": "Postgres may come from elsewhere",
    "PLUMBLINE_POSTGRES_PORT": "Postgres may come from elsewhere",
    "PLUMBLINE_POOL_SIZE": "many pods share the connections of one Postgres",
    "PLUMBLINE_COOKIE_SECURE": "TLS ends in front of Caddy",
}
"""Settings that may differ, and why. Everything else is the same in both."""
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
_DRIVER = "PG"
_DATABASE = {"PLUMBLINE_POSTGRES_DB": facts.DATABASE_NAME, "PLUMBLINE_POSTGRES_USER": facts.DATABASE_USER}


@cache
def compose() -> dict[str, Any]:
    """Return docker/compose.yaml with every variable at its default."""
    path = ROOT / "docker" / "compose.yaml"
    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\1", path.read_text()))
    return found


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything in which the two differ without a reason."""
    services = compose()["services"]
    yield from _images(manifests, services)
    for name, service in services.items():
        container = _container(manifests, name)
        if container is None:
            if name in COMPONENTS and name != "postgres":
                yield f"Compose runs {name}, the manifests do not"
            continue
        told = {key: str(value) for key, value in _environment(service).items()}
        yield from _settings(name, told, manifests.environment(container))
        limit = container.spec["resources"]["limits"]["memory"]
        if name in COMPONENTS and parse(limit) != _bytes(service["mem_limit"]):
            yield f"{name} may use {limit} of memory here and {service['mem_limit']} on Compose"
    redis = _container(manifests, "redis")
    if redis is not None and redis.spec.get("args") != services["redis"]["command"]:
        yield "redis is started with other arguments than on Compose"


def _environment(service: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    files = service.get("env_file", [])
    for name in [files] if isinstance(files, str) else files:
        lines = (ROOT / "docker" / name).read_text().splitlines()
        found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    found.update(service.get("environment", {}))
    return found


def _container(manifests: Manifests, name: str) -> Container | None:
    """The container that does here what service `name` of Compose does."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if container.name == name:
                return container
    return None


def _images(manifests: Manifests, services: dict[str, Any]) -> Iterator[str]:
    built = {one["image"].split(":")[0] for one in services.values() if "build" in one}
    used = {one.image for workload in manifests.workloads() for one in workload.containers}
    ours = {one for one in used if one.startswith("plumbline/")}
    yield from (f"image {one} is built by nobody" for one in sorted(ours - built))
    absent = built - ours - {"plumbline/postgres"}  # may come from elsewhere
    yield from (f"image {one} is built for Compose and used by nothing here" for one in sorted(absent))
    for workload in manifests.workloads():
        for container in workload.containers:
            tag = container.spec["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{workload.name} {container.name}: image {container.spec['image']} names no release"
            if container.image == "redis" and container.spec["image"].rpartition("/")[2] != services["redis"]["image"]:
                yield f"redis is {container.spec['image']} here and {services['redis']['image']} on Compose"


def _settings(name: str, there: dict[str, str], here: dict[str, str]) -> Iterator[str]:
    for key in sorted(there.keys() | here.keys()):
        if key in DIFFERENT or key.startswith(_DRIVER):
            continue
        if key.endswith("_FILE"):
            # Where a secret is mounted is each one's own affair; what is in it is not.
            same = there.get(key, "").rpartition("/")[2] == here.get(key, "").rpartition("/")[2]
        elif key in _DATABASE and key not in there:
            # Compose's services keep to the defaults.
            same = here[key] == _DATABASE[key]
        else:
            same = there.get(key) == here.get(key)
        if not same:
            yield f"{name}: {key} is {here.get(key)!r} here and {there.get(key)!r} on Compose"


def _bytes(limit: str) -> int:
    return int(limit[:-1]) * {"k": 1024, "m": 1024**2, "g": 1024**3}[limit[-1]]
