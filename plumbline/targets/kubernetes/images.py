"""The images of a stack: built by the local engine, and loaded into the cluster."""

from __future__ import annotations

import subprocess

from plumbline.errors import StepError
from plumbline.targets.compose import engine
from plumbline.targets.compose import images as built
from plumbline.targets.compose.project import Project
from plumbline.targets.kubernetes.contexts import loader
from plumbline.targets.kubernetes.kubectl import last_words
from plumbline.targets.kubernetes.rendering import Recipe

_PATIENCE_S = 900


def provide(recipe: Recipe) -> str:
    """Build changed images and load them into the cluster. Raises StepError."""
    project = Project(recipe.home, lineup=recipe.lineup)
    result = built.build(project)
    services = project.resolved()["services"]
    names = []
    for image, tag in recipe.tags().items():
        name = f"{recipe.image(image)}:{tag}"
        engine.output("tag", services[image]["image"], name, component=built.LOG)
        names.append(name)
    if recipe.choice.registry:
        for name in names:
            _transfer(["docker", "push", "--quiet", name], name)
        return f"{result}, pushed"
    command = loader(recipe.choice.context, names)
    if command is None:
        raise StepError(f"images cannot be loaded into {recipe.choice.context}", component=built.LOG)
    if command:
        _transfer(command, recipe.choice.context)
    return f"{result}, loaded" if command else result


def remove(recipe: Recipe) -> None:
    """Remove this stack's images from the engine."""
    if engine.absence():
        return
    names = engine.output("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    own = [name for name in names if name.rpartition(":")[2].startswith(f"{recipe.mark}-")]
    if own:
        engine.docker("image", "rm", *own)
    built.remove(Project(recipe.home))


def _transfer(command: list[str], where: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise StepError(f"{command[0]} did not end within {_PATIENCE_S} s", component=built.LOG) from None
    if done.returncode != 0:
        raise StepError(
            f"{' '.join(command[:3])} failed for {where}: {last_words(done.stderr or done.stdout)}",
            component=built.LOG,
            exit_code=done.returncode,
        )
