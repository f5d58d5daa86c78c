"""The choice of the cluster, from the environment, the home or the user; and how images get to it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from plumbline.home import Home, write_privately
from plumbline.targets.kubernetes import kubectl

CONTEXT_VARIABLE = "PLUMBLINE_KUBERNETES_CONTEXT"
OVERLAY_VARIABLE = "PLUMBLINE_KUBERNETES_OVERLAY"
REGISTRY_VARIABLE = "PLUMBLINE_REGISTRY"
LOCAL = "local"
NO_CONTEXT = (
    f"kubectl has no current context: choose one (kubectl config use-context NAME), or name one in {CONTEXT_VARIABLE}"
)
_SHARING = ("docker-desktop", "orbstack", "rancher-desktop", "colima")
"""Contexts of clusters that use the images of the local Docker engine."""


def loader(context: str, images: list[str]) -> list[str] | None:
    """Return the command that loads images into a development cluster; [] if not needed, None for other clusters."""
    name = context.partition("-")[2]
    if context.startswith("kind-"):
        return ["kind", "load", "docker-image", f"--name={name}", *images]
    if context.startswith("k3d-"):
        return ["k3d", "image", "import", f"--cluster={name}", *images]
    if context == "minikube":
        return ["minikube", "image", "load", *images]
    return [] if context.startswith(_SHARING) else None


@dataclass(frozen=True, slots=True)
class Choice:
    """The context, overlay and registry of one stack. `agreed`: the user has confirmed this context."""

    context: str
    overlay: str = LOCAL
    registry: str = ""
    agreed: bool = False

    def save(self, home: Home) -> None:
        """Save it: later commands must not follow a changed current context."""
        write_privately(home.root / "kubernetes.json", json.dumps(asdict(self), indent=2) + "\n")


def remembered(home: Home) -> Choice | None:
    """Return the saved choice of a stack, None if it was never deployed."""
    path = home.root / "kubernetes.json"
    return Choice(**json.loads(path.read_text())) if path.exists() else None


def wanted(home: Home) -> Choice | None:
    """Return the choice for a new deployment, None if there is no context."""
    before = remembered(home)
    named = os.environ.get(CONTEXT_VARIABLE)
    context = named or (before.context if before else None) or kubectl.current_context()
    if context is None:
        return None
    return Choice(
        context=context,
        overlay=os.environ.get(OVERLAY_VARIABLE) or (before.overlay if before else LOCAL),
        registry=os.environ.get(REGISTRY_VARIABLE) or (before.registry if before else ""),
        agreed=bool(named) or bool(before and before.agreed and before.context == context),
    )


def _confirming_command(choice: Choice) -> str:
    return f"{CONTEXT_VARIABLE}={choice.context} ./deploy-local.sh up --target kubernetes"


def refused(choice: Choice) -> list[str]:
    """Return why this cluster cannot be used, without connecting to it."""
    known = loader(choice.context, []) is not None
    if not known and not choice.agreed:
        kinds = "kind, k3d, minikube, Docker Desktop, OrbStack, Rancher Desktop, Colima"
        unknown = f"context {choice.context} is not a known development cluster ({kinds})"
        return [f"{unknown}: if you want to use it, run {_confirming_command(choice)}"]
    found = []
    command = loader(choice.context, []) or []
    if choice.overlay == LOCAL and not choice.registry:
        if not known:
            found.append(f"images cannot be loaded into {choice.context}: name a registry in {REGISTRY_VARIABLE}")
        elif command and shutil.which(command[0]) is None:
            found.append(f"{command[0]}, which loads images into {choice.context}, is not on the PATH: install it")
    return found


def unconfirmed(choice: Choice, namespace: str, ask: Callable[[str], str] | None = None) -> list[str]:
    """Ask the user to confirm the cluster, unless they already have; return why it is not confirmed."""
    if choice.agreed:
        return []
    if ask is None and not sys.stdin.isatty():
        return [f"no terminal to confirm context {choice.context}: run {_confirming_command(choice)}"]
    question = (
        f"\nThis deploys overlay {choice.overlay} to context {choice.context}, namespace {namespace}. Continue? [y/N] "
    )
    try:
        answer = (ask or input)(question)
    except EOFError:
        answer = ""
    return [] if answer.strip().lower() in ("y", "yes") else [f"you did not confirm context {choice.context}"]
