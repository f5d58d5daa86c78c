"""What the caller's shell may say to us: variables that would steer a library or a program we start are dropped.

Those that are documented as meant stay: PLUMBLINE_*, proxies, where the engine and the cluster are (DOCKER_HOST,
DOCKER_CONTEXT, DOCKER_CONFIG, KUBECONFIG ...) and where packages come from. What starts here gets what is left.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

_STEERING = re.compile(
    r"""
      PG[A-Z_]+         # libpq and Postgres's programs
    | PSYCOPG_.*
    | DJANGO_.*
    | GRANIAN_.*
    | PYTHON[A-Z]+
    | COMPOSE_.*
    | BUILDX_.* | BUILDKIT_.* | DOCKER_BUILDKIT | DOCKER_DEFAULT_PLATFORM
    | GIT_.*
    """,
    re.VERBOSE,
)

_OF_THE_HARNESS = re.compile(
    r"PLUMBLINE_(PYTHON|KUBECTL|KUBECONFIG|KUBERNETES_.*|REGISTRY|CHROMIUM|REQUIRE_.*|ENGINE_DIR|CA_BUNDLE|PIP_CONF|.*_IMAGE)"
)
"""What the harness itself is told in a shell; every other PLUMBLINE_ variable is a setting of a service."""


def drop_settings(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop the settings of services: a test says itself which ones it means."""
    for name in [name for name in environment if name.startswith("PLUMBLINE_")]:
        if not _OF_THE_HARNESS.fullmatch(name):
            del environment[name]


def clean(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop what would steer, the folders of PATH that mean another place in each folder, and proxies for loopback."""
    for name in [name for name in environment if _STEERING.fullmatch(name)]:
        del environment[name]
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    go_directly("127.0.0.1,localhost,::1", environment)
    environment["NETRC"] = os.devnull  # requests would send what ~/.netrc says to a stack
    environment["PATH"] = os.pathsep.join(folder for folder in folders if os.path.isabs(folder))  # noqa: PTH117


def for_python(*folders: Path) -> dict[str, str]:
    """Return an environment in which Python finds the packages in `folders`, and runs nothing of any other place.

    Neither modules in its working folder nor packages in the user's home, that is.
    """
    path = os.pathsep.join(map(str, folders))
    return {"PATH": os.defpath, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}


def go_directly(hosts: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let no proxy stand before `hosts`, separated by commas."""
    before = environment.get("no_proxy") or environment.get("NO_PROXY")
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(filter(None, (before, hosts)))
