"""Renders folders of k8s/ like `kubectl apply -k`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
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


def tool() -> list[str] | None:
    """Return the command that renders a folder, None if it is not installed."""
    named = os.environ.get("PLUMBLINE_KUBECTL")
    kubectl = shutil.which(named or "kubectl")
    if kubectl:
        return [kubectl, "kustomize"]
    kustomize = shutil.which("kustomize")
    return [kustomize, "build"] if kustomize else None


def stage(folder: Path) -> Path:
    """Copy the input of a rendering, without secrets, to `folder` and return the folder of the overlays in it."""
    ignored = shutil.ignore_patterns(*SECRETS, "__pycache__")
    for shared in _SHARED:
        shutil.copytree(ROOT / shared, folder / shared, ignore=ignored, dirs_exist_ok=True)
    return folder / "k8s" / "overlays"


def build(folder: Path) -> str:
    """Render a folder to YAML. Raises PlumblineError with the tool's message."""
    command = tool()
    if command is None:
        raise PlumblineError(NO_TOOL)
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise PlumblineError(f"{folder.name} cannot be rendered: {done.stderr.strip()}")
    return done.stdout


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes strings that kubectl's YAML parser reads as numbers, but PyYAML does not, such as 12e3."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9.][0-9_.]*(?:[eE][-+]?[0-9_]+)?$|[-+]?0[box][0-9a-fA-F_]+$"),
    list("-+.0123456789"),
)


def dump(documents: Iterable[Document]) -> str:
    """Return documents as YAML that kubectl reads with the same types."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False))


def parse(text: str) -> list[Document]:
    """Return the documents in YAML."""
    # The parser in C, if available, is several times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for one in yaml.load_all(text, Loader=loader) if one]
