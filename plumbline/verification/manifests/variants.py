"""Everything that is checked: overlays, and `production` with each component, rendered once a run."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from plumbline import ROOT
from plumbline.secret_files import SECRETS
from plumbline.targets.kubernetes import kustomize


@dataclass(frozen=True, slots=True)
class Variant:
    """What is rendered: an overlay, and components that it does not have already."""

    overlay: str
    components: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join((self.overlay, *self.components))


def variants() -> list[Variant]:
    """Return every overlay, and `production` with what it leaves to its owner: each component, and pairs."""
    overlays = sorted(path.name for path in kustomize.OVERLAYS.iterdir() if path.is_dir())
    used = yaml.safe_load((kustomize.OVERLAYS / "production" / "kustomization.yaml").read_text())["components"]
    components = sorted(path.name for path in (ROOT / "k8s" / "components").iterdir() if path.is_dir())
    left = [one for one in components if f"../../components/{one}" not in used]
    # Monitoring watches whichever Postgres there is.
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
            # As an owner would: by naming them in the overlay.
            index = folder / "kustomization.yaml"
            content = yaml.safe_load(index.read_text())
            content["components"] += [f"../../components/{one}" for one in variant.components]
            index.write_text(kustomize.dump([content]))
        return kustomize.build(folder)


@cache
def _parsed(variant: Variant) -> list[kustomize.Document]:
    return kustomize.parse(_text(variant))


def documents(variant: Variant) -> list[kustomize.Document]:
    """Return a variant's documents, a copy of their own at each call. The rendering is done once."""
    return copy.deepcopy(_parsed(variant))
