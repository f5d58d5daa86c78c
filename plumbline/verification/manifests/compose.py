"""Kubernetes and Compose describe one stack: the same images, defaults and limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from plumbline import ROOT
from plumbline.components import CADDY, COMPONENTS, POSTGRES, REDIS, SERVICES, SPECS
from plumbline.targets.kubernetes.model import Container, Manifests, Workload
from plumbline.targets.kubernetes.quantity import parse
from plumbline.verification.manifests import compose_file, compose_settings, images

DIFFERENT = {
    "PLUMBLINE_STACK_ID": "each deployment has its own",
    "PLUMBLINE_POSTGRES_HOST": "Postgres may be external",
    "PLUMBLINE_POSTGRES_PORT": "Postgres may be external",
    "PLUMBLINE_POOL_SIZE": "many pods share the connections of one Postgres",
    "PLUMBLINE_COOKIE_SECURE": "TLS ends in front of Caddy",
    "PLUMBLINE_FRONT_TRUSTED_PROXIES": "an ingress stands before Caddy",
    "PLUMBLINE_UPSTREAM_PATIENCE": "a rollout replaces pods while requests come",
    "PLUMBLINE_UPSTREAM_KEEPALIVE": "a rollout replaces pods while requests come",
    "PLUMBLINE_SHUTDOWN_DELAY": "a rollout replaces pods while requests come",
}
"""Settings that may differ, and why. All others have to be equal."""
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
_DRIVER = "PG"
_COMPOSE = ROOT / "docker" / "compose.yaml"
_CADDYFILE = re.compile(r"COPY (?:--chmod=\S+ )?docker/caddy/Caddyfile (\S+)")
_USER = re.compile(r"USER (\d+):(\d+)")


@cache
def compose() -> dict[str, Any]:
    """Return docker/compose.yaml with every variable at its default."""
    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\1", _COMPOSE.read_text()))
    return found


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield everything in which the two differ without a reason."""
    services = compose()["services"]
    yield from repetitions(ROOT)
    yield from compose_file.problems(compose(), ROOT)
    raw = yaml.safe_load(_COMPOSE.read_text())["services"]
    yield from compose_settings.problems({name: environment(service) for name, service in raw.items()})
    yield from images.problems(compose(), ROOT)
    yield from _images(manifests, services)
    for name, service in services.items():
        found = _counterpart(manifests, name)
        if found is None:
            if name in COMPONENTS and name != POSTGRES.name:
                yield f"Compose runs {name}, the manifests do not"
            continue
        workload, container = found
        yield from _program(name, service, container)
        yield from _surroundings(name, service, workload, container)
        if name in COMPONENTS:
            yield from _end(name, service, workload, manifests.environment(container))
        yield from _settings(name, environment(service), manifests.environment(container))
        limit = container.spec["resources"]["limits"]["memory"]
        # A Postgres that takes more connections needs more.
        more = name == POSTGRES.name and parse(limit) > _bytes(service["mem_limit"])
        if name in COMPONENTS and parse(limit) != _bytes(service["mem_limit"]) and not more:
            yield f"{name} may use {limit} of memory here and {service['mem_limit']} on Compose"
    yield from _caddyfile(manifests)


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a service of the compose file: its env_files in their order, then `environment`."""
    found: dict[str, str] = {}
    for name in service.get("env_file", []):
        found |= _assignments((ROOT / "docker" / name).read_text().splitlines())
    return found | {key: str(value) for key, value in service.get("environment", {}).items()}


def _assignments(lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def repetitions(root: Path) -> Iterator[str]:
    """Yield every default of docker/defaults below `root` that the compose file or k8s/ repeats."""
    defaults: dict[str, set[str]] = {}
    for file in (root / "docker" / "defaults").glob("*.env"):
        for key, value in _assignments(file.read_text().splitlines()).items():
            defaults.setdefault(key, set()).add(value)
    for file, there in _written(root):
        for key in sorted(key for key, value in there.items() if value in defaults.get(key, ())):
            yield f"{file.relative_to(root)}: {key} is in docker/defaults already"


def _written(root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield each file other than docker/defaults that gives containers settings, with these settings."""
    file = root / "docker" / "compose.yaml"
    for service in yaml.safe_load(file.read_text())["services"].values():
        yield file, {key: str(value) for key, value in service.get("environment", {}).items()}
    for file in (root / "k8s").rglob("*.env"):
        yield file, _assignments(file.read_text().splitlines())
    for file in (root / "k8s").rglob("kustomization.yaml"):
        for generator in yaml.safe_load(file.read_text()).get("configMapGenerator", []):
            yield file, _assignments(generator.get("literals", []))


def _counterpart(manifests: Manifests, name: str) -> tuple[Workload, Container] | None:
    """Return the container that corresponds to service `name` of Compose, and its workload."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if container.name == name:
                return workload, container
    return None


def _program(name: str, service: dict[str, Any], container: Container) -> Iterator[str]:
    """Command and arguments are the same on both."""
    if container.spec.get("command", []) != service.get("entrypoint", []):
        yield f"{name} runs another program than on Compose"
    said = container.spec.get("args", [])
    wanted = service.get("command") or (["serve"] if name in SERVICES else [])
    # The size of a Postgres depends on how many pods use it.
    if said != wanted and not (name == POSTGRES.name and said[::2] == ["-c"] * (len(said) // 2)):
        yield f"{name} is started with other arguments than on Compose: {said}"


def _surroundings(name: str, service: dict[str, Any], workload: Workload, container: Container) -> Iterator[str]:
    """User, reaping of dead processes, and the folders that can be written to: images are read-only on both."""
    file = service.get("build", {}).get("dockerfile")
    told = _USER.search((ROOT / file).read_text()) if file else re.fullmatch(r"(\d+):(\d+)", service.get("user", ""))
    security = workload.pod.get("securityContext", {})
    if told and told.groups() != (str(security.get("runAsUser")), str(security.get("runAsGroup"))):
        yield f"{name} does not run as {':'.join(told.groups())}, the user of its image"
    # Postgres reaps its own processes, and a migration starts nothing that outlives it.
    if name in COMPONENTS and not SPECS[name].is_init and not workload.pod.get("shareProcessNamespace"):
        yield f"{name} has no parent process that reaps dead ones: shareProcessNamespace"
    if name == REDIS.name:
        return  # has no volume here, and writes nothing
    mounts = {
        one["mountPath"]: one["name"] for one in container.spec.get("volumeMounts", []) if not one.get("readOnly")
    }
    places = [one.split(":")[0] for one in service.get("tmpfs", [])]
    kept = [one.split(":")[1] for one in service.get("volumes", [])]
    shared = ["/dev/shm"] if "shm_size" in service else []  # noqa: S108  a path in a container
    yield from (f"{name} cannot write to {place}" for place in (*places, *kept, *shared) if place not in mounts)
    claims = {one["metadata"]["name"] for one in workload.document["spec"].get("volumeClaimTemplates", [])}
    yield from (f"{name} loses {place} with its pod: no claim" for place in kept if mounts.get(place, "") not in claims)
    sizes = {one["name"]: (one.get("emptyDir") or {}).get("sizeLimit", "0") for one in workload.pod.get("volumes", [])}
    for place in shared:
        if parse(sizes.get(mounts.get(place, ""), "0")) < _bytes(service["shm_size"]):
            yield f"{name} has less than {service['shm_size']} of {place}"


def _end(name: str, service: dict[str, Any], workload: Workload, told: dict[str, str]) -> Iterator[str]:
    """The grace period covers the waits before the stop and the stop itself."""
    delay = int(told.get("PLUMBLINE_SHUTDOWN_DELAY", "0s").removesuffix("s"))
    needed = workload.main.pre_stop_s + delay + int(service["stop_grace_period"].removesuffix("s"))
    if workload.pod.get("terminationGracePeriodSeconds", 30) < needed:
        yield f"{name} is killed before it has stopped: terminationGracePeriodSeconds below {needed}"


def _caddyfile(manifests: Manifests) -> Iterator[str]:
    """Caddy reads docker/caddy/Caddyfile, from a ConfigMap in the place where the image has it."""
    found = _counterpart(manifests, CADDY.name)
    if found is None:
        return
    workload, container = found
    match = _CADDYFILE.search((ROOT / "docker" / "caddy" / "Dockerfile").read_text())
    folder, _, file = match[1].rpartition("/") if match else ("", "", "")
    mounts = {one["mountPath"]: one["name"] for one in container.spec.get("volumeMounts", [])}
    for volume in workload.pod.get("volumes", []):
        if volume["name"] == mounts.get(folder):
            data = manifests.data("ConfigMap", volume.get("configMap", {}).get("name", "")) or {}
            if data.get(file) == (ROOT / CADDY.settings_file).read_text():
                return
    yield f"caddy does not read docker/caddy/Caddyfile at {folder}/{file}"


def _images(manifests: Manifests, services: dict[str, Any]) -> Iterator[str]:
    built = {one["image"].split(":")[0] for one in services.values() if "build" in one}
    used = {one.image for workload in manifests.workloads() for one in workload.containers}
    ours = {one for one in used if one.startswith("plumbline/")}
    yield from (f"image {one} is not built by Compose" for one in sorted(ours - built))
    absent = built - ours - {f"plumbline/{POSTGRES.image_name}"}  # Postgres may be external
    yield from (f"image {one} is built by Compose and not used here" for one in sorted(absent))
    said: dict[str, set[str]] = {}
    for workload in manifests.workloads():
        for container in workload.containers:
            said.setdefault(container.image, set()).add(container.spec["image"])
            tag = container.spec["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{workload.name} {container.name}: image {container.spec['image']} names no release"
        policy = {one.spec.get("imagePullPolicy", "IfNotPresent") for one in workload.containers}
        if policy - {"IfNotPresent", "Always"}:
            yield f"{workload.name}: imagePullPolicy is {', '.join(sorted(policy))}; expected nodes to fetch images"
    tags = {one: name.rpartition(":")[2] for one, names in said.items() for name in names}
    of_services = {tags[image] for image in (f"plumbline/{name}" for name in SERVICES) if image in tags}
    if len(of_services) > 1:
        yield f"the services are of different releases: {', '.join(sorted(of_services))}; expected one tag for all"
    for image, names in sorted(said.items()):
        if len(names) > 1:
            yield f"image {image} is used in two releases: {', '.join(sorted(names))}"


def _settings(name: str, there: dict[str, str], here: dict[str, str]) -> Iterator[str]:
    for key in sorted(there.keys() | here.keys()):
        if key in DIFFERENT or key.startswith(_DRIVER):
            continue
        if key.endswith("_FILE"):
            # The folder of a secret may differ; the secret itself may not.
            same = there.get(key, "").rpartition("/")[2] == here.get(key, "").rpartition("/")[2]
        else:
            same = there.get(key) == here.get(key)
        if not same:
            yield f"{name}: {key} is {here.get(key)!r} here and {there.get(key)!r} on Compose"


def _bytes(limit: str) -> int:
    return int(limit[:-1]) * {"k": 1024, "m": 1024**2, "g": 1024**3}[limit[-1]]
