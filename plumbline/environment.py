"""Removes environment variables that would change the behaviour of our libraries or of programs we start.

Documented ones stay: PLUMBLINE_*, proxies, the engine and the cluster (DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG,
KUBECONFIG ...), and package indexes.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

_REMOVED = re.compile(
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

_HARNESS_VARIABLES = re.compile(
    r"PLUMBLINE_(PYTHON|KUBECTL|KUBECONFIG|KUBERNETES_.*|REGISTRY|REPORT|CHROMIUM|REQUIRE_.*|ENGINE_DIR|CA_BUNDLE|PIP_CONF|.*_IMAGE)"
)
"""Variables for the harness itself; every other PLUMBLINE_ variable is a setting of a service."""


def drop_settings(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove the settings of services, so that tests set their own."""
    for name in [name for name in environment if name.startswith("PLUMBLINE_")]:
        if not _HARNESS_VARIABLES.fullmatch(name):
            del environment[name]


def clean(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove such variables, relative folders of PATH, and proxies for loopback."""
    for name in [name for name in environment if _REMOVED.fullmatch(name)]:
        del environment[name]
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    bypass_proxies("127.0.0.1,localhost,::1", environment)
    environment["NETRC"] = os.devnull  # requests would send credentials of ~/.netrc
    environment["PATH"] = os.pathsep.join(folder for folder in folders if os.path.isabs(folder))  # noqa: PTH117


def for_python(*folders: Path) -> dict[str, str]:
    """Return an environment in which Python imports from `folders`, not from the working folder or the user's home."""
    path = os.pathsep.join(map(str, folders))
    return {"PATH": os.defpath, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}


def bypass_proxies(hosts: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Bypass proxies for `hosts`, separated by commas."""
    before = environment.get("no_proxy") or environment.get("NO_PROXY")
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(filter(None, (before, hosts)))
