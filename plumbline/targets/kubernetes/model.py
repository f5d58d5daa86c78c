"""Access to rendered documents: workloads, containers, selectors and environments."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plumbline.targets.kubernetes.kustomize import Document

COMPONENT = "app.kubernetes.io/component"
BACKUP = "backup"
"""The CronJob of k8s/components/backups, and the label of its pods."""
_WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a workload. `init`: it runs and ends before the others start."""

    spec: Document
    init: bool

    @property
    def name(self) -> str:
        """Name within the pod."""
        return str(self.spec["name"])

    @property
    def image(self) -> str:
        """Image without registry and tag: plumbline/backend, postgres-exporter."""
        path = self.spec["image"].rsplit("@", 1)[0]
        head, _, last = path.rpartition("/")
        name = last.split(":", 1)[0]
        return f"plumbline/{name}" if head.rpartition("/")[2] == "plumbline" else name

    @property
    def pre_stop_s(self) -> int:
        """Seconds that it waits before SIGTERM."""
        command = self.spec.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
        return int(command[1]) if command[:1] == ["sleep"] else 0

    @property
    def ports(self) -> dict[str, tuple[int, str]]:
        """Port name to number and protocol."""
        return {
            port.get("name", str(port["containerPort"])): (port["containerPort"], port.get("protocol", "TCP"))
            for port in self.spec.get("ports", [])
        }


@dataclass(frozen=True, slots=True)
class Workload:
    """A resource that creates pods."""

    document: Document

    @property
    def name(self) -> str:
        """Kind and name, in kubectl's form."""
        return f"{self.document['kind'].lower()}/{self.document['metadata']['name']}"

    @property
    def ends(self) -> bool:
        """Whether its pods do their work and end."""
        return self.document["kind"] in ("Job", "CronJob")

    @property
    def spec(self) -> Document:
        """Its spec; of a CronJob, that of its Jobs."""
        found: Document = self.document["spec"]
        return found["jobTemplate"]["spec"] if self.document["kind"] == "CronJob" else found

    @property
    def template(self) -> Document:
        """The pod template."""
        found: Document = self.spec["template"]
        return found

    @property
    def pod(self) -> Document:
        """The pod's spec."""
        found: Document = self.template["spec"]
        return found

    @property
    def labels(self) -> dict[str, str]:
        """The pods' labels."""
        found: dict[str, str] = self.template["metadata"].get("labels", {})
        return found

    @property
    def component(self) -> str:
        """The component that it runs."""
        return self.labels.get(COMPONENT, "")

    @property
    def containers(self) -> list[Container]:
        """Init containers in their order, then the others."""
        first = [Container(one, init=True) for one in self.pod.get("initContainers", [])]
        return first + [Container(one, init=False) for one in self.pod["containers"]]

    @property
    def main(self) -> Container:
        """The first container that is not an init container."""
        return next(one for one in self.containers if not one.init)


class Manifests:
    """All documents of one rendering."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    def of(self, *kinds: str) -> Iterator[Document]:
        """Every document of these kinds."""
        return (one for one in self.documents if one["kind"] in kinds)

    def named(self, kind: str, name: str) -> Document | None:
        """The document of this kind and name."""
        return next((one for one in self.of(kind) if one["metadata"]["name"] == name), None)

    def workloads(self) -> list[Workload]:
        """All workloads of the documents."""
        return [Workload(one) for one in self.of(*_WORKLOADS)]

    def workload(self, component: str) -> Workload:
        """The workload of a component; raises KeyError."""
        for one in self.workloads():
            if one.component == component:
                return one
        raise KeyError(component)

    def pods(self) -> dict[str, dict[str, str]]:
        """Component to the labels of its pods, including pods that an operator creates."""
        found = {one.component: one.labels for one in self.workloads()}
        for one in self.of("Cluster"):
            labels = one["spec"].get("inheritedMetadata", {}).get("labels", {})
            found[labels.get(COMPONENT, one["metadata"]["name"])] = labels
        return found

    def services(self) -> dict[str, Document]:
        """Service name to Service, including those that an operator creates."""
        found = {one["metadata"]["name"]: one for one in self.of("Service")}
        for one in self.of("Cluster"):
            labels = one["spec"].get("inheritedMetadata", {}).get("labels", {})
            for role in ("rw", "ro", "r"):
                name = f"{one['metadata']['name']}-{role}"
                ports = [{"name": "postgres", "port": 5432, "targetPort": 5432}]
                found[name] = {"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}}
        return found

    def data(self, kind: str, name: str) -> dict[str, str] | None:
        """Keys and values of a ConfigMap or Secret, None if there is none of this name."""
        document = self.named(kind, name)
        if document is None:
            return None
        values: dict[str, Any] = dict(document.get("data") or {})
        if kind == "Secret":
            values = {key: base64.b64decode(value).decode() for key, value in values.items()}
        return {**values, **(document.get("stringData") or {})}

    def environment(self, container: Container) -> dict[str, str]:
        """A container's environment. References that cannot be resolved are left out."""
        found: dict[str, str] = {}
        for source in container.spec.get("envFrom", []):
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if key in source:
                    found |= self.data(kind, source[key]["name"]) or {}
        for variable in container.spec.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                reference = variable.get("valueFrom", {}).get(key)
                if reference:
                    found[variable["name"]] = (self.data(kind, reference["name"]) or {}).get(reference["key"], "")
        return found


def selects(selector: Document | None, labels: dict[str, str]) -> bool:
    """Return whether a label selector matches `labels`. An empty selector matches everything, None nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or [])


def _meets(expression: Document, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"{other} is not an operator of a label selector")
