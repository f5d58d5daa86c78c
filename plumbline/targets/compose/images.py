"""The images of a stack: built with visible progress, pulled, or already present."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from string import Template
from typing import Any

from servicekit import facts

from plumbline import ROOT, fingerprint
from plumbline.components import TABLE
from plumbline.errors import StepError
from plumbline.targets.compose import engine
from plumbline.targets.compose.project import BASELINE_FILE, Project, services_of

LOG = "images"
INPUTS = (
    ".dockerignore",
    "docker/alive.sh",
    "docker/probe.py",
    "docker/service",
    "docs",
    "mkdocs.yml",
    "plumbline/verification/docs/hooks.py",
    *(f"docker/{one.image_name}" for one in TABLE if not one.package),
)
"""Inputs of the images beyond `fingerprint.SOURCES`."""
_WORTH_SHOWING_S = 0.5
_STEP = re.compile(r"#(?P<number>\d+) \[(?P<what>[^\]]+)\] (?P<does>(?:RUN|COPY|FROM) .*)")
_OTHER = re.compile(r"#(?P<number>\d+) (?P<word>\S+) ?(?P<rest>.*)")
_UNREACHABLE = re.compile(
    r"failed to resolve source metadata|failed to do request|no such host|pull access denied|i/o timeout"
    r"|connection refused|TLS handshake|certificate signed by unknown authority|failed to copy",
)
_COPY = re.compile(r"^COPY (?:--chmod=\S+ )?(?!--)(.+) \S+$", re.MULTILINE)
"""What a Dockerfile copies from its context, not from another stage."""
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_NO_REGISTRY = (
    "no container registry provides the base images: docker/offline/build.sh builds them from Debian packages and "
    "wheels; then run ./deploy-local.sh again"
)


def build(project: Project) -> str:
    """Build changed images and pull missing ones. Raises StepError."""
    begun = time.monotonic()
    log = project.home.logs / f"{LOG}.log"
    _run(project.arguments("--progress", "plain", "build"), project, log)
    for image in missing(project):
        done = engine.docker("pull", image, timeout=600)
        if done.returncode != 0:
            raise StepError(
                f"image {image} cannot be pulled: {engine.last_words(done.stderr)}", component=LOG,
                exit_code=done.returncode, hint=_hint(done.stderr),
            )  # fmt: skip
    return f"built in {time.monotonic() - begun:.1f} s" if _built_something(log) else "nothing to build"


def revisions(root: Path = ROOT) -> dict[str, str]:
    """Return by component the last commit that changed inputs of its image; "-dirty" if they were changed since.

    Not the checkout's commit: as a label, it would change the image, and so replace the container, after every commit
    to other files. "unknown" if git does not know it.
    """
    found = {}
    for name, inputs in inputs_of_images(root).items():
        commit = _git(root, "log", "--max-count=1", "--format=%H", "--", *inputs)
        dirty = commit and _git(root, "status", "--porcelain", "--", *inputs)
        found[name] = f"{commit}-dirty" if dirty else commit or "unknown"
    return found


def digests(root: Path = ROOT) -> dict[str, str]:
    """Return by image a hash of what it is built from: files, Dockerfile and build arguments."""
    inputs, told = inputs_of_images(root), {**_env_file(root), **os.environ, "PLUMBLINE_VERSION": facts.VERSION}
    found = {}
    for name, build in _builds(root).items():
        # The revision is that of the same files, and only a label.
        given = {key: value for key, value in build.get("args", {}).items() if key != "REVISION"}
        resolved = {
            key: _VARIABLE.sub(lambda match: told.get(match[1]) or match[2], value) for key, value in given.items()
        }
        files = fingerprint.of_files([".dockerignore", *inputs[name]], root)
        found[name] = hashlib.sha256(f"{files}{json.dumps(resolved, sort_keys=True)}".encode()).hexdigest()
    return found


def _env_file(root: Path) -> dict[str, str]:
    """Return the variables of docker/.env, which Compose reads as well."""
    file = root / "docker" / ".env"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _builds(root: Path) -> dict[str, dict[str, Any]]:
    files = [root / "docker" / name for name in ("compose.yaml", BASELINE_FILE)]
    return {name: one["build"] for file in files for name, one in services_of(file).items() if "build" in one}


def inputs_of_images(root: Path = ROOT) -> dict[str, list[str]]:
    """Return by component the inputs of its image, from compose.yaml and its Dockerfile."""
    found = {}
    for name, build in _builds(root).items():
        file = Path(build["dockerfile"])
        copied = " ".join(_COPY.findall((root / file).read_text()))
        found[name] = [str(file.parent), *Template(copied).safe_substitute(build.get("args", {})).split()]
    return found


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def missing(project: Project) -> list[str]:
    """Return the names of the project's images that the engine does not have."""
    needed = sorted({service["image"] for service in project.resolved()["services"].values()})
    if engine.docker("image", "inspect", *needed).returncode == 0:
        return []
    return [image for image in needed if engine.docker("image", "inspect", image).returncode != 0]


def remove(project: Project) -> None:
    """Remove the images that were built for this stack, but not those that others may use."""
    names = engine.output("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=plumbline/*")
    own = [name for name in names.split() if name.endswith(f":{project.tag}")]
    if own:
        engine.docker("image", "rm", *own)


def _run(arguments: list[str], project: Project, log: Path) -> None:
    environment = project.environment()
    for name, revision in revisions().items():
        environment[f"PLUMBLINE_{name.upper().replace('-', '_')}_REVISION"] = revision
    with log.open("w") as kept, subprocess.Popen(
        ["docker", *arguments], env=environment, cwd=project.folder, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101  set by PIPE
        progress = _Progress()
        try:
            for line in process.stdout:
                kept.write(line)
                progress.add(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        text = log.read_text(errors="replace")
        raise StepError(
            f"the images could not be built: {_failure(text)}",
            component=LOG,
            exit_code=process.returncode,
            hint=_hint(text),
        )


def _hint(text: str) -> str | None:
    return _NO_REGISTRY if _UNREACHABLE.search(text) else engine.way_out(text)


def _failure(text: str) -> str:
    named = [line for line in text.splitlines() if line.startswith(("ERROR", "failed to solve", "target "))]
    return "\n".join(named[-2:]) or engine.last_words(text)


def _built_something(log: Path) -> bool:
    return bool(re.search(r"^#\d+ \[[^\]]+ \d+/\d+\] (RUN|COPY).*\n#\d+ (?!CACHED)", log.read_text(), re.MULTILINE))


class _Progress:
    """Shows each build step that takes time, and its duration, without cached steps."""

    def __init__(self) -> None:
        self._steps: dict[str, str] = {}
        self._shown: set[str] = set()

    def add(self, line: str) -> None:
        """Take one line of BuildKit's plain progress."""
        step = _STEP.match(line)
        if step:
            if step["number"] not in self._steps:
                self._steps[step["number"]] = f"{step['what']}: {' '.join(step['does'].split())}"[:100]
            else:
                self._show(step["number"], "…")
            return
        other = _OTHER.match(line)
        if other is None or other["number"] not in self._steps:
            return
        if other["word"] == "CACHED":
            del self._steps[other["number"]]
        elif other["word"] == "DONE":
            took = float(other["rest"].rstrip("s") or 0)
            if took >= _WORTH_SHOWING_S:
                self._show(other["number"], f"{took:.1f} s", again=True)
        else:
            self._show(other["number"], "…")

    def _show(self, number: str, what: str, *, again: bool = False) -> None:
        if number in self._shown and not again:
            return
        self._shown.add(number)
        start = "\r\033[K" if sys.stdout.isatty() else ""
        print(f"{start}      {self._steps[number]} {what}", flush=True)
