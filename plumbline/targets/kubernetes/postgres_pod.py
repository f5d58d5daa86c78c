"""Scripts in the pod of the stack's own Postgres."""

from __future__ import annotations

from plumbline.components import POSTGRES
from plumbline.errors import PlumblineError
from plumbline.targets import postgres_shell
from plumbline.targets.kubernetes import pods
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import Manifests


def script_command(cluster: Cluster, manifests: Manifests, script: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line that runs `script`. Raises PlumblineError if Postgres has no pod of this stack."""
    own = [one for one in manifests.workloads() if one.component == POSTGRES.name]
    found = pods.fetch(cluster).of(POSTGRES.name) if own else []
    if not found:
        raise PlumblineError(
            "Postgres has no pod in this stack, so its programs cannot be used",
            hint="start it (./deploy-local.sh); if Postgres runs elsewhere, back it up where it runs",
        )
    told = manifests.environment(own[0].main)
    address = postgres_shell.in_its_container(told["PLUMBLINE_POSTGRES_PASSWORD_FILE"])
    inside = postgres_shell.connected(script, address, arguments)
    name = found[0]["metadata"]["name"]
    return cluster.command("exec", "--stdin", name, f"--container={POSTGRES.name}", "--", *inside)
