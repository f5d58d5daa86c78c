"""What a real API server says to every overlay: defaults, validation and Pod Security, with nothing of it kept.

Needs a server: PLUMBLINE_KUBECONFIG names the kubeconfig of one whose current context may make and delete a namespace.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from plumbline.targets.kubernetes import kustomize
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import Manifests, Workload
from plumbline.verification.manifests import variants
from plumbline.verification.manifests.variants import Variant

VARIABLE = "PLUMBLINE_KUBECONFIG"
OPERATORS = {
    "Cluster": "clusters.postgresql.cnpg.io",
    "PodMonitor": "podmonitors.monitoring.coreos.com",
    "PrometheusRule": "prometheusrules.monitoring.coreos.com",
}
"""Kinds that a server knows only where their operators are, or at least their CustomResourceDefinitions."""


def kubectl(*arguments: str, documents: list[Document] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", f"--kubeconfig={os.environ[VARIABLE]}", *arguments],
        input=kustomize.dump(documents or []), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """An empty namespace that refuses what is not restricted; gone afterwards."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} names no API server to ask")
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on the PATH")
    (labelled,) = (one for one in variants.documents(Variant("local")) if one["kind"] == "Namespace")
    name = f"plumbline-asked-{secrets.token_hex(4)}"
    labelled["metadata"]["name"] = name
    made = kubectl("create", "--filename=-", documents=[labelled])
    assert made.returncode == 0, made.stderr
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def pod_of(workload: Workload, namespace: str) -> Document:
    """The pod that a controller would make: only pods are judged by Pod Security."""
    claims = workload.document["spec"].get("volumeClaimTemplates", [])
    volumes = [{"name": one["metadata"]["name"], "persistentVolumeClaim": {"claimName": "any"}} for one in claims]
    spec = {**workload.pod, "volumes": [*workload.pod.get("volumes", []), *volumes]}
    spec.pop("priorityClassName", None)  # a dry run creates no PriorityClass
    metadata = {"name": workload.component, "namespace": namespace, "labels": workload.labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def answer(documents: list[Document]) -> str:
    """What the server has against these documents; "" for nothing."""
    done = kubectl("apply", "--dry-run=server", "--filename=-", documents=documents)
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
    return "\n".join(warnings) if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("variant", variants.variants(), ids=str)
def test_a_server_takes_everything(variant: Variant, namespace: str) -> None:
    known = kubectl("api-resources", "--output=name").stdout.split()
    unknown = {kind for kind, name in OPERATORS.items() if name not in known}
    manifests = Manifests([one for one in variants.documents(variant) if one["kind"] not in (*unknown, "Namespace")])
    for document in manifests.documents:
        if document["kind"] != "PriorityClass":
            document["metadata"]["namespace"] = namespace
    # A pod needs its account to be there, which a dry run does not make.
    made = kubectl("apply", "--filename=-", documents=list(manifests.of("ServiceAccount")))
    assert made.returncode == 0, made.stderr
    pods = [pod_of(one, namespace) for one in manifests.workloads()]
    assert answer([*manifests.documents, *pods]) == ""


def test_a_server_refuses_what_is_wrong(production: Manifests, namespace: str) -> None:
    for document in production.of("ServiceAccount"):
        document["metadata"]["namespace"] = namespace
    kubectl("apply", "--filename=-", documents=list(production.of("ServiceAccount")))
    pod = pod_of(production.workload("redis"), namespace)
    pod["spec"]["securityContext"].pop("seccompProfile")
    assert "violates PodSecurity" in answer([pod])
    account = next(production.of("ServiceAccount"))
    assert "unknown field" in answer([{**account, "automount": False}])
