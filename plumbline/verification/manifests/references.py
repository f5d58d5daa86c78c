"""What a manifest refers to is there: ConfigMaps, Secrets, their keys, volumes, ServiceAccounts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from plumbline import ROOT
from plumbline.secret_files import OVERLAPPING, also
from plumbline.targets.kubernetes.model import Container, Manifests, Workload

FROM_OUTSIDE = {("Secret", "plumbline-tls")}
"""What an operator of the cluster puts into the namespace: the certificate of the host name."""
_KINDS = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
    "secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
}  # fmt: skip
"""The keys of a pod's spec under which a reference stands, and what it refers to."""
_HASHED = re.compile(r"-[a-z0-9]{10}$")
_VARIABLE = re.compile(r"\$\((\w+)\)")


class Reference(NamedTuple):
    """A ConfigMap or Secret that something refers to, and the keys that it has to have."""

    where: str
    kind: str
    name: str
    keys: tuple[str, ...] = ()
    optional: bool = False


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every reference to something that is not there, and every ConfigMap and Secret without a reference."""
    yield from literal_secrets(ROOT)
    yield from _namespaces(manifests)
    references = list(_references(manifests))
    for reference in references:
        yield from _missing(manifests, reference)
    for workload in manifests.workloads():
        account = workload.pod.get("serviceAccountName", "")
        if manifests.named("ServiceAccount", account) is None:
            yield f"{workload.name}: there is no ServiceAccount {account}"
        yield from _twice(workload)
        yield from _mounts(manifests, workload)
        for container in workload.containers:
            yield from _variables(workload, container)
    used = {(one.kind, one.name) for one in references}
    for workload in manifests.workloads():
        for one in _within(workload.name, workload.pod):
            if not _HASHED.search(one.name):
                yield f"{workload.name}: {one.kind} {one.name} has no hash in its name, so a change starts no new pods"
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
                second = {f"{also(name)}=" for name in OVERLAPPING}
                if (
                    generator.keys() - {"name", "files", "type", "literals"}
                    or {*generator.get("literals", ())} - second
                ):
                    yield f"{file.relative_to(root)}: Secret {generator['name']} is not made from files alone"


def _namespaces(manifests: Manifests) -> Iterator[str]:
    names = {one["metadata"]["name"] for one in manifests.of("Namespace")}
    for one in manifests.documents:
        if one["kind"] not in ("Namespace", "PriorityClass") and one["metadata"].get("namespace") not in names:
            yield f"{one['kind']} {one['metadata']['name']} is in no namespace that is made here"


def _references(manifests: Manifests) -> Iterator[Reference]:
    for workload in manifests.workloads():
        yield from _within(workload.name, workload.pod)
    for document in manifests.of("Ingress"):
        for tls in document["spec"].get("tls", []):
            yield Reference("ingress", "Secret", tls["secretName"])
    for document in manifests.of("Cluster"):
        secret = document["spec"]["bootstrap"]["initdb"]["secret"]["name"]
        yield Reference("cluster", "Secret", secret, ("username", "password"))


def _within(where: str, node: Any) -> Iterator[Reference]:
    """Yield every reference in a part of a pod's spec, however deep it stands."""
    if isinstance(node, list):
        for one in node:
            yield from _within(where, one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _KINDS:
                keys = [value["key"]] if "key" in value else [one["key"] for one in value.get("items", [])]
                name = value.get("name") or value["secretName"]
                yield Reference(where, _KINDS[key], name, tuple(keys), bool(value.get("optional")))
            else:
                yield from _within(where, value)


def _missing(manifests: Manifests, reference: Reference) -> Iterator[str]:
    where, kind, name, keys, optional = reference
    if optional:
        yield f"{where}: {kind} {name} may be absent, and it starts without it"
    document = manifests.named(kind, name)
    if document is None:
        if (kind, name) not in FROM_OUTSIDE:
            yield f"{where}: there is no {kind} {name}"
        return
    there = {key for part in ("data", "stringData", "binaryData") for key in document.get(part) or {}}
    yield from (f"{where}: {kind} {name} has no key {key}" for key in keys if key not in there)


def _twice(workload: Workload) -> Iterator[str]:
    """Of two entries of one name the server takes one, or refuses both."""
    containers = workload.containers
    lists: dict[str, list[Any]] = {
        "volume": [one["name"] for one in workload.pod.get("volumes", [])],
        "container": [one.name for one in containers],
        "port": [port.get("name") for one in containers for port in one.spec.get("ports", [])],
    }
    lists |= {f"{one.name} variable": [env["name"] for env in one.spec.get("env", [])] for one in containers}
    lists |= {f"{one.name} mount": [it["mountPath"] for it in one.spec.get("volumeMounts", [])] for one in containers}
    for what, names in lists.items():
        yield from (f"{workload.name} {what} {name} is there twice" for name, n in Counter(names).items() if n > 1)


def _mounts(manifests: Manifests, workload: Workload) -> Iterator[str]:
    for name in [one.get("persistentVolumeClaim", {}).get("claimName") for one in workload.pod.get("volumes", [])]:
        if name and manifests.named("PersistentVolumeClaim", name) is None:
            yield f"{workload.name}: there is no PersistentVolumeClaim {name}"
    claims = workload.document["spec"].get("volumeClaimTemplates", [])
    there = {one["name"] for one in workload.pod.get("volumes", [])} | {one["metadata"]["name"] for one in claims}
    mounted = {mount["name"] for one in workload.containers for mount in one.spec.get("volumeMounts", [])}
    yield from (f"{workload.name}: there is no volume {name}" for name in sorted(mounted - there))
    yield from (f"{workload.name}: nothing mounts volume {name}" for name in sorted(there - mounted))


def _variables(workload: Workload, container: Container) -> Iterator[str]:
    """`$(NAME)` is replaced only by a variable that stands before it in `env`; one of `envFrom` does not count."""
    before: set[str] = set()
    for variable in container.spec.get("env", []):
        for name in sorted(set(_VARIABLE.findall(variable.get("value", ""))) - before):
            yield (
                f"{workload.name} {container.name}: {variable['name']} refers to $({name}), "
                "which is not in env before it"
            )
        before.add(variable["name"])
