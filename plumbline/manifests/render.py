"""Renders overlays, and the base with each component, the way `kubectl apply -k` would."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.secret_files import SECRETS

Document = dict[str, Any]
OVERLAYS = ROOT / "k8s" / "overlays"
_SHARED = ("k8s", "docker/caddy", "docker/defaults")
"""Folders that a rendering reads."""

NO_TOOL = (
    "neither kubectl nor kustomize is on the PATH (or named in PLUMBLINE_KUBECTL): install kubectl 1.27 or newer, or "
    "with Go: go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is rendered: an overlay, and components that it does not have already."""

    overlay: str
    components: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join((self.overlay, *self.components))


def variants() -> list[Variant]:
    """Return every overlay, and `production` with what it leaves to its owner: each component, and pairs."""
    overlays = sorted(path.name for path in OVERLAYS.iterdir() if path.is_dir())
    used = yaml.safe_load((OVERLAYS / "production" / "kustomization.yaml").read_text())["components"]
    components = sorted(path.name for path in (ROOT / "k8s" / "components").iterdir() if path.is_dir())
    left = [one for one in components if f"../../components/{one}" not in used]
    # Monitoring watches whichever Postgres there is.
    chosen = [(one,) for one in left] + [("monitoring", one) for one in left if one != "monitoring"]
    return [Variant(name) for name in overlays] + [Variant("production", one) for one in chosen]


def tool() -> list[str] | None:
    """Return the command that renders a folder, None if there is none on this machine."""
    named = os.environ.get("PLUMBLINE_KUBECTL")
    kubectl = shutil.which(named or "kubectl")
    if kubectl:
        return [kubectl, "kustomize"]
    kustomize = shutil.which("kustomize")
    return [kustomize, "build"] if kustomize else None


def stage(folder: Path) -> Path:
    """Copy all that a rendering reads to `folder` and return the overlays' place there. Real secrets are left out."""
    ignored = shutil.ignore_patterns(*SECRETS, "__pycache__")
    for shared in _SHARED:
        shutil.copytree(ROOT / shared, folder / shared, ignore=ignored, dirs_exist_ok=True)
    return folder / "k8s" / "overlays"


def build(folder: Path) -> str:
    """Render a folder to YAML. Raises PlumblineError with what the tool said."""
    command = tool()
    if command is None:
        raise PlumblineError(NO_TOOL)
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise PlumblineError(f"{folder.name} cannot be rendered: {done.stderr.strip()}")
    return done.stdout


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes the strings that only kubectl's YAML takes for numbers: to PyYAML a float has a dot, so 12e3 is a word."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9.][0-9_.]*(?:[eE][-+]?[0-9_]+)?$|[-+]?0[box][0-9a-fA-F_]+$"),
    list("-+.0123456789"),
)


def dump(documents: Iterable[Document]) -> str:
    """Return documents as YAML that kubectl reads as they are: what is a string here is one there."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False))


def parse(text: str) -> list[Document]:
    """Return the documents in YAML."""
    # Written in C where there is one: several times faster on files of this size.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for one in yaml.load_all(text, Loader=loader) if one]


@cache
def _text(variant: Variant) -> str:
    with tempfile.TemporaryDirectory(prefix="plumbline-manifests-") as place:
        overlays = stage(Path(place))
        for overlay in overlays.iterdir():
            for name in SECRETS:
                (overlay / "secrets" / name).write_text("stands in for a secret")
        folder = overlays / variant.overlay
        if variant.components:
            # As an owner would: by naming them in the overlay.
            index = folder / "kustomization.yaml"
            content = yaml.safe_load(index.read_text())
            content["components"] += [f"../../components/{one}" for one in variant.components]
            index.write_text(dump([content]))
        return build(folder)


@cache
def _parsed(variant: Variant) -> list[Document]:
    return parse(_text(variant))


def documents(variant: Variant) -> list[Document]:
    """Return a variant's documents, a copy of their own at each call. The rendering is done once."""
    return copy.deepcopy(_parsed(variant))
