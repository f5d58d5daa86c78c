"""Chooses the target."""

from __future__ import annotations

from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target
from plumbline.targets.compose import engine
from plumbline.targets.compose.target import ComposeTarget
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.targets.kubernetes.target import KubernetesTarget

_KINDS = {kind.name: kind for kind in (EmbeddedTarget, ComposeTarget, KubernetesTarget)}
TARGETS = (*_KINDS, "auto")


def choose(wanted: str, home: Home, front_port: int | None = None) -> tuple[Target, str]:
    """Return the target and, in a few words, the reason. An existing stack keeps its target."""
    existing = home.load().target
    if existing and existing not in _KINDS:
        raise PlumblineError(
            f"the stack in {home.root} was deployed on target {existing!r}, which this version does not have",
            hint="use the version that deployed it, or choose another folder with --home",
        )
    if existing and wanted not in ("auto", existing):
        raise PlumblineError(
            f"the stack in {home.root} was deployed on target {existing}",
            hint=f"deploy to {wanted} with another --home, or remove this stack first: ./deploy-local.sh reset",
        )
    if wanted != "auto":
        name, why = wanted, "asked for"
    elif existing:
        name, why = existing, "this stack's target"
    else:
        missing = engine.absence()
        name, why = ("embedded", missing) if missing else ("compose", "a Docker engine answers")
    return _KINDS[name](home, front_port), why


def deployed(home: Home) -> Target:
    """Return the target of the stack in `home`. Raises PlumblineError if there is none."""
    if not home.exists:
        raise PlumblineError(f"there is no stack in {home.root}", hint="bring one up: ./deploy-local.sh")
    return choose("auto", home)[0]
