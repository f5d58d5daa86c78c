"""What is checked: every overlay, and `production` with each component. Each is rendered once per run."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from plumbline import ROOT
from plumbline.components import BASELINE
from plumbline.secret_files import SECRETS
from plumbline.targets.kubernetes import kustomize


@dataclass(frozen=True, slots=True)
class Variant:
    """An overlay, and the components that are added to it."""

    overlay: str
    components: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join((self.overlay, *self.components))


def variants() -> list[Variant]:
    """Return every overlay, and `production` with each component that it does not use, alone and with monitoring."""
    overlays = sorted(path.name for path in kustomize.OVERLAYS.iterdir() if path.is_dir())
    used = yaml.safe_load((kustomize.OVERLAYS / "production" / "kustomization.yaml").read_text())["components"]
    components = sorted(path.name for path in (ROOT / "k8s" / "components").iterdir() if path.is_dir())
    left = [one for one in components if f"../../components/{one}" not in used]
    left.remove(BASELINE.name)  # the overlay of that name has it
    # Monitoring works with each kind of Postgres.
    chosen = [(one,) for one in left] + [("monitoring", one) for one in left if one != "monitoring"]
    return [Variant(name) for name in overlays] + [Variant("production", one) for one in chosen]


@cache
def _text(variant: Variant) -> str:
    with tempfile.TemporaryDirectory(prefix="plumbline-manifests-") as place:
        overlays = kustomize.stage(Path(place))
        for overlay in overlays.iterdir():
            for name in SECRETS:
                (overlay / "secrets" / name).write_text("stands in for a secret")
        folder = overlays / variant.overlay
        if variant.components:
            # In the way that docs/kubernetes.md describes: named in the overlay.
            index = folder / "kustomization.yaml"
            content = yaml.safe_load(index.read_text())
            content["components"] += [f"../../components/{one}" for one in variant.components]
            index.write_text(kustomize.dump([content]))
        return kustomize.build(folder)


@cache
def _parsed(variant: Variant) -> list[kustomize.Document]:
    return kustomize.parse(_text(variant))


def documents(variant: Variant) -> list[kustomize.Document]:
    """Return a new copy of a variant's documents. They are rendered once."""
    return copy.deepcopy(_parsed(variant))
