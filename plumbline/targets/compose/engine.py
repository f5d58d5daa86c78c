"""The Docker engine, through the `docker` command, which chooses the engine (socket, context, DOCKER_HOST)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plumbline.errors import StepError

ENGINE_MINIMUM = (20, 10)
COMPOSE_MINIMUM = (2, 20)
_PATIENCE_S = 120
_ANSWER_PATIENCE_S = 20
_TAKE_A_VALUE = ("--file", "--project-name")
_PERMISSION = "permission denied while trying to connect"
_INSTALL = "install and start one (Debian: apt-get install docker.io)"
_WAYS_OUT = {
    r"cannot connect to the docker daemon|error during connect":
        "start the Docker engine (systemctl start docker, or Docker Desktop), then the same command again",
    _PERMISSION:
        "let this user talk to the Docker engine (add it to the group docker), then the same command again",
    r"port is already allocated|address already in use":
        "stop what holds the port (./deploy-local.sh doctor names it), or choose another with --port",
    r"no space left on device":
        "free space on the engine's disk (docker system df shows its use), then ./deploy-local.sh again",
}  # fmt: skip
"""Pattern of an error of the engine or Compose to its solution."""


def docker(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = _PATIENCE_S,
) -> subprocess.CompletedProcess[str]:
    """Run `docker ARGUMENTS` and return the result, for any exit code. Raises StepError if it hangs."""
    try:
        return subprocess.run(
            ["docker", *arguments],
            env=env, input=stdin, capture_output=True, text=True, errors="replace", check=False, timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StepError(
            f"docker {arguments[0]} did not end within {timeout:g} s", hint="check the engine: docker info"
        ) from None
    except FileNotFoundError:
        raise StepError("the docker command was removed", hint="./deploy-local.sh doctor") from None


def output(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", component: str | None = None) -> str:
    """Run `docker ARGUMENTS` and return its output. If it fails, raises StepError with its message."""
    done = docker(*arguments, env=env, stdin=stdin)
    if done.returncode != 0:
        said = last_words(done.stderr or done.stdout)
        raise StepError(
            f"{_named(arguments)} failed: {said}",
            component=component,
            exit_code=done.returncode,
            hint=way_out(said),
        )
    return done.stdout


def way_out(said: str) -> str | None:
    """Return the solution of an error of the engine or Compose, None if it is not known."""
    return next((hint for sign, hint in _WAYS_OUT.items() if re.search(sign, said, re.IGNORECASE)), None)


def _named(arguments: Sequence[str]) -> str:
    """Return the short name of a command, without its options: `docker compose up`."""
    words = []
    skip = False
    for argument in arguments:
        if not skip and not argument.startswith("-"):
            words.append(argument)
        skip = argument in _TAKE_A_VALUE
    return " ".join(["docker", *words[:2]])


def last_words(text: str, lines: int = 5) -> str:
    """Return the last lines of a command's output."""
    return "\n".join(text.strip().splitlines()[-lines:]) or "no output"


def inspect(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the engine's data of containers, without those that no longer exist."""
    if not ids:
        return []
    found: list[dict[str, Any]] = json.loads(docker("container", "inspect", *ids).stdout or "[]")
    return found


def platform() -> str:
    """Return the platform of the engine's images, such as linux/amd64. Raises StepError."""
    return output("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()


def absence() -> str | None:
    """Return why no Docker engine can be used, None if one answers."""
    found = _absence()
    return found[0] if found else None


def _absence() -> tuple[str, str] | None:
    """Return why no engine can be used and the solution, or None."""
    if shutil.which("docker") is None:
        return "no docker command here", _INSTALL
    try:
        done = docker("version", "--format", "{{.Server.Version}}", timeout=_ANSWER_PATIENCE_S)
    except StepError:
        return f"the Docker engine did not answer within {_ANSWER_PATIENCE_S} s", "check it (docker info)"
    if done.returncode == 0 and done.stdout.strip():
        return None
    if re.search(_PERMISSION, done.stderr):
        return "this user may not talk to the Docker engine", _WAYS_OUT[_PERMISSION]
    return "no Docker engine answers", _INSTALL


def problems() -> Iterator[str]:
    """All problems of the engine and its plugins, each with its solution."""
    absent = _absence()
    if absent:
        yield f"{': '.join(absent)}, or use --target embedded"
        return
    found = docker("version", "--format", "{{.Server.Version}}").stdout.strip()
    yield from _too_old("Docker engine", found, ENGINE_MINIMUM)
    compose = docker("compose", "version", "--short")
    if compose.returncode != 0:
        yield "the docker command has no Compose plugin: install docker-compose 2 (package docker-compose-plugin)"
    else:
        yield from _too_old("Compose plugin", compose.stdout.strip(), COMPOSE_MINIMUM)
    if docker("buildx", "version").returncode != 0:
        yield "the docker command has no buildx plugin, which builds the images: install docker-buildx"


def _too_old(what: str, found: str, minimum: tuple[int, int]) -> Iterator[str]:
    numbers = re.match(r"v?(\d+)\.(\d+)", found)
    if numbers and (int(numbers[1]), int(numbers[2])) < minimum:
        wanted = ".".join(map(str, minimum))
        yield f"the {what} is version {found}, {wanted} or newer is needed: update it, or use --target embedded"
