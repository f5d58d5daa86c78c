"""Which target to use, and why."""

from __future__ import annotations

import shutil
import subprocess

from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target
from plumbline.targets.embedded.target import EmbeddedTarget

TARGETS = ("embedded", "compose", "auto")
_ENGINE_PATIENCE_S = 3


def choose(wanted: str, home: Home, front_port: int | None = None) -> tuple[Target, str]:
    """Return the target to use and, in a few words, why. A stack that exists keeps its target."""
    existing = home.load().target
    if existing and wanted not in ("auto", existing):
        raise PlumblineError(
            f"the stack in {home.root} was deployed on target {existing}",
            hint=f"deploy to {wanted} with another --home, or remove this stack first: ./deploy-local.sh reset",
        )
    if wanted == "compose":
        raise PlumblineError("the compose target is not part of this version", hint="use --target embedded")
    if wanted == "embedded":
        why = "asked for"
    elif existing:
        why = "this stack's target"
    else:
        why = engine_absence() or "a Docker engine answers, but the compose target is not part of this version"
    return EmbeddedTarget(home, front_port), why


def engine_absence() -> str | None:
    """Return why no Docker engine can be used, or None if one answers."""
    docker = shutil.which("docker")
    if docker is None:
        return "no docker command here"
    try:
        done = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True, text=True, check=False, timeout=_ENGINE_PATIENCE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the Docker engine did not answer within {_ENGINE_PATIENCE_S} s"
    return None if done.returncode == 0 and done.stdout.strip() else "no Docker engine answers"
