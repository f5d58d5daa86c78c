"""Scripts in the pod of the stack's own Postgres."""

from __future__ import annotations

import secrets

from plumbline.components import POSTGRES
from plumbline.errors import ElsewhereError, PlumblineError
from plumbline.targets import postgres_shell
from plumbline.targets.kubernetes import pods
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import Manifests, Workload

_DATA = "/var/lib/postgresql/data"
"""The pod's volume with space for a database."""


def script_command(cluster: Cluster, manifests: Manifests, script: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line that runs `script`, connected. Raises PlumblineError if Postgres has no pod here."""
    own = _own(manifests)
    told = manifests.environment(own.main) if own else {}
    password_file = told.get("PLUMBLINE_POSTGRES_PASSWORD_FILE", "")
    address = postgres_shell.in_its_container(password_file)
    return _exec(cluster, own, postgres_shell.connected(script, address, arguments))


def throwaway_command(cluster: Cluster, manifests: Manifests, script: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line that runs `script` with a new, empty Postgres. Raises PlumblineError."""
    folder = f"{_DATA}/throwaway-{secrets.token_hex(4)}"
    return _exec(cluster, _own(manifests), postgres_shell.throwaway(script, folder, arguments))


def _own(manifests: Manifests) -> Workload | None:
    return next((one for one in manifests.workloads() if one.component == POSTGRES.name), None)


def _exec(cluster: Cluster, own: Workload | None, inside: list[str]) -> list[str]:
    if own is None:
        raise ElsewhereError(
            "Postgres is not part of this stack, so its programs cannot be used", hint="back it up where it runs"
        )
    found = pods.fetch(cluster).of(POSTGRES.name)
    if not found:
        raise PlumblineError("Postgres has no pod, so its programs cannot be used", hint="./deploy-local.sh starts it")
    name = found[0]["metadata"]["name"]
    return cluster.command("exec", "--stdin", name, f"--container={POSTGRES.name}", "--", *inside)
