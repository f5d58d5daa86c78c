"""The checks of a cluster, its version and permissions before anything is changed."""

from __future__ import annotations

from typing import Any

from plumbline.errors import StepError
from plumbline.targets.kubernetes.kubectl import OLDEST, Cluster, Version
from plumbline.targets.kubernetes.model import Manifests
from plumbline.targets.kubernetes.rendering import OURS, Recipe
from plumbline.targets.kubernetes.requests import lacking

_NEEDED = (
    ("create", "deployments.apps"), ("create", "networkpolicies.networking.k8s.io"), ("create", "secrets"),
    ("create", "priorityclasses.scheduling.k8s.io"), ("create", "pods/exec"), ("create", "pods/portforward"),
    ("get", "pods/log"),
)  # fmt: skip
"""Permissions that are checked before a deployment, one of each kind that roles distinguish."""

_WITHOUT_NAMESPACE = ("namespaces", "priorityclasses.scheduling.k8s.io")
_AUTOSCALER = ("kube-system", "cluster-autoscaler-status")
"""Namespace and ConfigMap in which the autoscaler of nodes reports."""
_KARPENTER = "karpenter.sh/"
"""Begin of labels of nodes that are made when pods need them."""


def problems(cluster: Cluster, recipe: Recipe) -> list[str]:
    """Return all problems of the cluster that prevent a deployment, each with its solution."""
    try:
        return _too_old(cluster) or _unusable(cluster, recipe) or _no_room(cluster, recipe)
    except StepError as error:
        return [str(error)]


def _unusable(cluster: Cluster, recipe: Recipe) -> list[str]:
    context, name = cluster.context, cluster.namespace
    if not cluster.allows("get", "namespaces"):
        return [_forbidden(cluster, "get namespaces")]
    namespace = cluster.namespace_document()
    if namespace is None:
        # Permissions in a missing namespace cannot be checked; who may create one usually has them.
        lacking = ", ".join(f"create {what}" for what in _WITHOUT_NAMESPACE if not cluster.allows("create", what))
        return [_forbidden(cluster, lacking)] if lacking else []
    if namespace.get("status", {}).get("phase") == "Terminating":
        check = f"kubectl --context={context} describe namespace {name}"
        return [
            f"namespace {name} of context {context} is being deleted: try again once it is gone; if it stays, {check}"
        ]
    if not_ours(cluster, recipe):
        way_out = "deploy to it with kubectl apply, or choose another namespace in the overlay"
        return [f"namespace {name} of context {context} was not made by this home: {way_out}"]
    missing = ", ".join(f"{verb} {what}" for verb, what in _NEEDED if not cluster.allows(verb, what))
    return [_forbidden(cluster, missing)] if missing else []


def _no_room(cluster: Cluster, recipe: Recipe) -> list[str]:
    """Compare what the stack and a rollout of it request with what the nodes have free, if the user may see that."""
    try:
        nodes = cluster.items("nodes")
        running = cluster.items("pods", "--all-namespaces")
    except StepError:
        return []
    if not nodes or _grows(cluster, nodes):
        return []
    others = [pod for pod in running if pod["metadata"].get("namespace") != cluster.namespace]
    lacks = lacking(Manifests(recipe.documents(real_secrets=False)), nodes, others)
    way_out = "stop other pods, add a node, or lower the requests in the overlay"
    return [f"the nodes of context {cluster.context} have no room for the stack: {lacks}: {way_out}"] if lacks else []


def _grows(cluster: Cluster, nodes: list[dict[str, Any]]) -> bool:
    """Return whether the cluster adds nodes for pods that find no place."""
    if any(label.startswith(_KARPENTER) for node in nodes for label in node["metadata"].get("labels", {})):
        return True
    namespace, name = _AUTOSCALER
    return bool(Cluster(cluster.context, namespace).items("configmaps", f"--field-selector=metadata.name={name}"))


def not_ours(cluster: Cluster, recipe: Recipe) -> bool:
    """Return whether the namespace exists and was not created by this home. Raises StepError."""
    namespace = cluster.namespace_document()
    return namespace is not None and namespace["metadata"].get("labels", {}).get(OURS) != recipe.mark


def _too_old(cluster: Cluster) -> list[str]:
    client, server = cluster.versions()
    wanted = f"{_words(OLDEST)} or newer"
    found = []
    if client < OLDEST:
        found.append(f"kubectl {_words(client)} is too old: install {wanted}, or name one in PLUMBLINE_KUBECTL")
    if server < OLDEST:
        found.append(f"context {cluster.context} runs Kubernetes {_words(server)}, {wanted} is needed: upgrade it")
    return found


def _words(version: Version) -> str:
    return ".".join(map(str, version))


def _forbidden(cluster: Cluster, what: str) -> str:
    return (
        f"context {cluster.context} may not {what} (namespace {cluster.namespace}): ask the "
        "cluster's administrator for the permission, or choose another context"
    )
