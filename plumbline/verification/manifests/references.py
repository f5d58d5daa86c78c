"""Whatever names a ConfigMap, Secret, key, volume, claim or ServiceAccount names one that is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from plumbline import ROOT
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Container, Manifests, Workload

FROM_OUTSIDE = {("Secret", "plumbline-tls")}
"""What somebody else puts into the namespace: the certificate of the host name."""
_VARIABLE = re.compile(r"\$\((\w+)\)")


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every reference that leads nowhere, and every ConfigMap and Secret to which none leads."""
    yield from literal_secrets(ROOT)
    yield from _namespaces(manifests)
    used: set[tuple[str, str]] = set()
    for workload in manifests.workloads():
        yield from _account(manifests, workload)
        yield from _doubles(workload)
        yield from _volumes(manifests, workload, used)
        for container in workload.containers:
            yield from _environment(manifests, workload, container, used)
            yield from _mounts(workload, container)
    for document in manifests.of("Ingress"):
        for tls in document["spec"].get("tls", []):
            yield from _thing(manifests, "ingress", "Secret", tls["secretName"], used)
    for document in manifests.of("Cluster"):
        secret = document["spec"]["bootstrap"]["initdb"]["secret"]["name"]
        yield from _thing(manifests, "cluster", "Secret", secret, used)
        missing = {"username", "password"} - set(manifests.data("Secret", secret) or {})
        yield from (f"cluster: secret {secret} has no key {key}" for key in sorted(missing))
    for document in manifests.of("ConfigMap", "Secret"):
        if (document["kind"], document["metadata"]["name"]) not in used:
            yield f"{document['kind']} {document['metadata']['name']} is used by nothing"


def literal_secrets(root: Path) -> Iterator[str]:
    """Yield every file of k8s/ below `root` that holds a secret itself, and does not take it from a file."""
    for file in sorted((root / "k8s").rglob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            written = {**(document.get("data") or {}), **(document.get("stringData") or {})}
            if document.get("kind") == "Secret" and written.keys() - {"username"}:
                yield f"{file.relative_to(root)} holds a secret: {', '.join(sorted(written.keys() - {'username'}))}"
            for generator in document.get("secretGenerator", []):
                if generator.keys() - {"name", "files", "type"}:
                    yield f"{file.relative_to(root)}: Secret {generator['name']} is not made from files alone"


def _namespaces(manifests: Manifests) -> Iterator[str]:
    names = {one["metadata"]["name"] for one in manifests.of("Namespace")}
    for one in manifests.documents:
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") not in names:
            yield f"{one['kind']} {one['metadata']['name']} is in no namespace that is made here"


def _doubles(workload: Workload) -> Iterator[str]:
    """What stands twice in a list of names: of two, one wins, or the server refuses both."""
    pod = workload.pod
    yield from _twice(f"{workload.name} volume", (one["name"] for one in pod.get("volumes", [])))
    yield from _twice(f"{workload.name} container", (one.name for one in workload.containers))
    ports = [port.get("name") for one in workload.containers for port in one.spec.get("ports", [])]
    yield from _twice(f"{workload.name} port", ports)
    for container in workload.containers:
        names = [one["name"] for one in container.spec.get("env", [])]
        yield from _twice(f"{workload.name} {container.name} variable", names)


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    listed = list(names)
    yield from (f"{what} {name} is there twice" for name in sorted(set(listed)) if listed.count(name) > 1)


def _account(manifests: Manifests, workload: Workload) -> Iterator[str]:
    name = workload.pod.get("serviceAccountName")
    if not name or manifests.named("ServiceAccount", name) is None:
        yield f"{workload.name}: there is no ServiceAccount {name}"


def _thing(
    manifests: Manifests, where: str, kind: str, name: str, used: set[tuple[str, str]], keys: tuple[str, ...] = ()
) -> Iterator[str]:
    used.add((kind, name))
    if (kind, name) in FROM_OUTSIDE:
        return
    data = manifests.data(kind, name)
    if data is None:
        yield f"{where}: there is no {kind} {name}"
        return
    binary = (manifests.named(kind, name) or {}).get("binaryData") or {}
    yield from (f"{where}: {kind} {name} has no key {key}" for key in keys if key not in data and key not in binary)


def _environment(
    manifests: Manifests, workload: Workload, container: Container, used: set[tuple[str, str]]
) -> Iterator[str]:
    where = f"{workload.name} {container.name}"
    kinds = {
        "configMapRef": "ConfigMap",
        "secretRef": "Secret",
        "configMapKeyRef": "ConfigMap",
        "secretKeyRef": "Secret",
    }
    for source in container.spec.get("envFrom", []):
        for key, reference in source.items():
            yield from _thing(manifests, where, kinds[key], reference["name"], used)
            yield from _needed(where, reference)
    before: set[str] = set()
    for variable in container.spec.get("env", []):
        # Variables from envFrom do not count, and what is unknown stays as it is written.
        for name in sorted(set(_VARIABLE.findall(variable.get("value", ""))) - before):
            yield f"{where}: {variable['name']} refers to $({name}), which is not in env before it"
        before.add(variable["name"])
        for key, reference in variable.get("valueFrom", {}).items():
            if key in kinds:
                yield from _thing(manifests, where, kinds[key], reference["name"], used, (reference["key"],))
                yield from _needed(where, reference)


def _volumes(manifests: Manifests, workload: Workload, used: set[tuple[str, str]]) -> Iterator[str]:
    for volume in workload.pod.get("volumes", []):
        where = f"{workload.name} volume {volume['name']}"
        if "secret" in volume:
            source = volume["secret"]
            yield from _thing(manifests, where, "Secret", source["secretName"], used, _keys(source))
            yield from _needed(where, source)
        elif "configMap" in volume:
            source = volume["configMap"]
            yield from _thing(manifests, where, "ConfigMap", source["name"], used, _keys(source))
            yield from _needed(where, source)
        elif "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            if manifests.named("PersistentVolumeClaim", claim) is None:
                yield f"{where}: there is no PersistentVolumeClaim {claim}"
    mounted = {mount["name"] for one in workload.containers for mount in one.spec.get("volumeMounts", [])}
    yield from (f"{workload.name}: nothing mounts volume {name}" for name in sorted(_names(workload) - mounted))


def _needed(where: str, reference: Document) -> Iterator[str]:
    if reference.get("optional"):
        yield f"{where}: {reference.get('name') or reference.get('secretName')} may be absent, and it starts without it"


def _keys(source: Document) -> tuple[str, ...]:
    return tuple(item["key"] for item in source.get("items", []))


def _names(workload: Workload) -> set[str]:
    claims = workload.document["spec"].get("volumeClaimTemplates", [])
    return {one["name"] for one in workload.pod.get("volumes", [])} | {one["metadata"]["name"] for one in claims}


def _mounts(workload: Workload, container: Container) -> Iterator[str]:
    there = _names(workload)
    paths: set[str] = set()
    for mount in container.spec.get("volumeMounts", []):
        if mount["name"] not in there:
            yield f"{workload.name} {container.name}: there is no volume {mount['name']}"
        if mount["mountPath"] in paths:
            yield f"{workload.name} {container.name}: two volumes at {mount['mountPath']}"
        paths.add(mount["mountPath"])
