"""One stack's manifests: an overlay with this stack's identity, namespace, images and secrets."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from servicekit.secrets import read_secret

from plumbline import ROOT, secret_files
from plumbline.components import SPECS
from plumbline.home import Home
from plumbline.plan import ON_BASELINE, TODAY, Lineup
from plumbline.settings import file
from plumbline.settings.resolve import NONE, PARTS, Wanted
from plumbline.targets.compose import images
from plumbline.targets.kubernetes import backups, kustomize
from plumbline.targets.kubernetes.contexts import LOCAL, Choice
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import COMPONENT, Manifests

OURS = "plumbline/home"
"""Label of everything that a home deployed. Resources without it are never deleted."""
WORKLOADS = ("Deployment", "StatefulSet", "Job", "Cluster")
_FRONT_PORT = "PLUMBLINE_FRONT_PORT"
_SETTINGS = "settings-of-the-home"
_BASELINE = "../../components/baseline"
_NO_SECRETS = b"not the real one"


def mark_of(home: Home) -> str:
    """Return an identifier of this home that also differs between machines that use the same cluster."""
    return hashlib.sha256(f"{platform.node()}:{home.root}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The input of a rendering. `mark` identifies the home."""

    home: Home
    choice: Choice
    mark: str
    stack_id: str
    told: Wanted = NONE
    lineup: Lineup = TODAY
    backups: Mapping[str, Any] = field(default_factory=dict)
    """`every` and `keep` of regular backups."""

    @property
    def namespace(self) -> str:
        """The namespace: the home's own on the local overlay, else that of the overlay."""
        if self.choice.overlay == LOCAL:
            return f"plumbline-{self.mark}"
        overlay = yaml.safe_load((kustomize.OVERLAYS / self.choice.overlay / "kustomization.yaml").read_text())
        return str(overlay["namespace"])

    @property
    def priority_class(self) -> str:
        """Name of the home's PriorityClass on the local overlay."""
        return f"plumbline-first-{self.mark}"

    def image(self, name: str) -> str:
        """Name of an image without its tag."""
        return f"{self.choice.registry}/{name}" if self.choice.registry else f"plumbline/{name}"

    def tags(self) -> dict[str, str]:
        """Return by image its tag. Nodes cache images by name; only what is built anew gets another, and a new pod."""
        digests = images.digests()
        return {name: f"{self.mark}-{digests[name][:12]}" for name in self.lineup.images}

    def text(self, *, real_secrets: bool = True) -> str:
        """Render to YAML, with placeholders unless `real_secrets`. Raises PlumblineError."""
        # Secrets never leave the home. Without them, nothing is written there: it may not exist yet.
        place = self.home.root / ".kubernetes" if real_secrets else Path(tempfile.mkdtemp(prefix="plumbline-"))
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)
        try:
            overlay = kustomize.stage(place) / self.choice.overlay
            for name in secret_files.SECRETS:
                secret = self.home.secrets / name
                copy = overlay / "secrets" / name
                copy.touch(mode=0o600)
                copy.write_bytes(read_secret(secret).encode() if real_secrets else _NO_SECRETS)
            self._write_second_values(overlay / "secrets" / "kustomization.yaml", real_secrets)
            self._adapt(overlay / "kustomization.yaml")
            return kustomize.build(overlay)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _write_second_values(self, index: Path, real_secrets: bool) -> None:
        """Write values that are valid beside the current ones during a rotation."""
        content = yaml.safe_load(index.read_text())
        for generator in content["secretGenerator"]:
            names = map(secret_files.also, secret_files.OVERLAPPING)
            generator["literals"] = [f"{name}={self._second_value(name) if real_secrets else ''}" for name in names]
        index.write_text(kustomize.dump([content]))

    def _second_value(self, name: str) -> str:
        file = self.home.secrets / name
        return file.read_text() if file.exists() else ""

    def _adapt(self, index: Path) -> None:
        """Write this stack's identity, namespace, settings and images to the overlay's copy."""
        content = yaml.safe_load(index.read_text())
        content["namespace"] = self.namespace
        content.setdefault("labels", []).append({"pairs": {OURS: self.mark}})
        identity = f"PLUMBLINE_STACK_ID={self.stack_id}"
        generators = content.setdefault("configMapGenerator", [])
        stack = next((one for one in generators if one["name"] == "stack"), None)
        if stack is None:
            generators.append({"name": "stack", "behavior": "merge", "literals": [identity]})
        else:
            others = [one for one in stack.get("literals", []) if not one.startswith("PLUMBLINE_STACK_ID=")]
            stack["literals"] = [*others, identity]
        if self.backups and self.lineup is TODAY:
            backups.added(content, **self.backups)
        if self.lineup is ON_BASELINE and _BASELINE not in content.get("components", []):
            content.setdefault("components", []).append(_BASELINE)
        self._write_settings(index.parent / _SETTINGS)
        content.setdefault("components", []).append(_SETTINGS)
        if self.choice.overlay == LOCAL:
            content["images"] = [
                {"name": f"plumbline/{name}", "newName": self.image(name), "newTag": tag}
                for name, tag in self.tags().items()
            ]
            # PriorityClasses have no namespace, so each home has its own.
            name = {"op": "replace", "path": "/metadata/name", "value": self.priority_class}
            change = {"patch": json.dumps([name]), "options": {"allowNameChange": True}}
            content.setdefault("patches", []).append({"target": {"kind": "PriorityClass"}, **change})
        index.write_text(kustomize.dump([content]))

    def _write_settings(self, component: Path) -> None:
        """Write the settings as the last component, which overrides the overlay and its other components."""
        generators = []
        of_parts = {part: part for part in PARTS}
        if self.lineup is ON_BASELINE:
            of_parts = {one.name: one.settings_of or one.name for one in self.lineup.table}
        for part, source in of_parts.items():
            # The front door's port is that of the forward.
            told = [f"{name}={value}" for name, value in self.told.of(source).items() if name != _FRONT_PORT]
            if told:
                generators.append({"name": part, "behavior": "merge", "literals": told})
        component.mkdir()
        kind = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        (component / "kustomization.yaml").write_text(kustomize.dump([{**kind, "configMapGenerator": generators}]))

    def documents(self, *, real_secrets: bool = True) -> list[Document]:
        """Render to documents. Raises PlumblineError."""
        return kustomize.parse(self.text(real_secrets=real_secrets))


def setting_defaults() -> dict[str, dict[str, str]]:
    """Return by part the settings in a cluster beyond docker/defaults."""
    return {
        part: {
            line.name: line.value
            for name in SPECS[part].defaults
            for line in file.read(ROOT / "k8s" / "base" / f"{name}.env")[0]
        }
        for part in PARTS
    }


def workloads(manifests: Manifests, *components: str) -> list[Document]:
    """Return the workloads of these components."""
    return [one for one in manifests.of(*WORKLOADS) if one["metadata"].get("labels", {}).get(COMPONENT) in components]


def prerequisites(manifests: Manifests) -> list[Document]:
    """Return all documents that create no pods, such as policies, which must exist before the pods."""
    return [one for one in manifests.documents if one["kind"] not in WORKLOADS]
