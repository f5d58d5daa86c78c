"""The parts of manifests that breaks are made in."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests

Break = tuple[str, Callable[[Manifests], object]]
"""What the finding says, and what spoils the manifests."""


def doc(manifests: Manifests, kind: str, name: str) -> Document:
    """The document whose name is `name`, or begins with it where a hash follows."""
    for one in manifests.of(kind):
        found = one["metadata"]["name"]
        if found == name or (kind in ("ConfigMap", "Secret") and found.rpartition("-")[0] == name):
            return one
    raise KeyError(f"{kind} {name}")


def pod(manifests: Manifests, component: str) -> Document:
    return manifests.workload(component).pod


def main(manifests: Manifests, component: str) -> Document:
    return manifests.workload(component).main.spec


def data(manifests: Manifests, name: str) -> dict[str, str]:
    found: dict[str, str] = doc(manifests, "ConfigMap", name)["data"]
    return found


def policy(manifests: Manifests, name: str) -> Document:
    found: Document = doc(manifests, "NetworkPolicy", name)["spec"]
    return found


def without(manifests: Manifests, kind: str, name: str) -> None:
    manifests.documents.remove(doc(manifests, kind, name))


def deployment(manifests: Manifests, name: str) -> Document:
    found: Document = doc(manifests, "Deployment", name)["spec"]
    return found


def init(manifests: Manifests, component: str, place: int) -> Document:
    found: Document = pod(manifests, component)["initContainers"][place]
    return found


def cluster(manifests: Manifests) -> Document:
    found: Document = next(manifests.of("Cluster"))["spec"]
    return found


def ingress(manifests: Manifests) -> Document:
    return doc(manifests, "Ingress", "front")


def way_in(manifests: Manifests) -> Document:
    """The Ingress's only path."""
    found: Document = ingress(manifests)["spec"]["rules"][0]["http"]["paths"][0]
    return found
