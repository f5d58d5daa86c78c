"""The checks before a Compose deployment changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from servicekit import facts

from plumbline import preflight, secret_files
from plumbline.components import CADDY, COMPONENTS, POSTGRES
from plumbline.errors import StepError
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.project import Project


def problems(project: Project, is_ours: Callable[[int], bool]) -> list[str]:
    """Return all problems of a deployment of `project`, each with its solution."""
    found = [
        *preflight.python_problems(),
        *preflight.folder_problems(project.home),
        *preflight.port_problems(project.front_port, is_ours),
        *secret_files.problems(project.home.secrets, shared_with_containers=True),
    ]
    of_engine = list(engine.problems())
    if of_engine:
        return found + of_engine
    try:
        config = project.resolved()
    except StepError as error:
        return [*found, str(error)]
    return [*found, *config_problems(config, project.lineup.components), *volume_problems(project)]


def config_problems(config: dict[str, Any], components: Iterable[str] = COMPONENTS) -> Iterator[str]:
    """Find changes of the compose file that must not be deployed."""
    services = config["services"]
    for name in components:
        if name not in services:
            yield f"the compose file has no service {name}: restore it (git checkout docker/compose.yaml)"
    for name, service in services.items():
        published = service.get("ports") or []
        ports = [str(port.get("published", port["target"])) for port in published]
        inner = [str(port["target"]) for port in published if port["target"] != facts.FRONT_PORT]
        if name == CADDY.name and inner:
            yield (
                f"the compose file publishes port {', '.join(inner)} of {CADDY.name}, which is internal: "
                f"publish {facts.FRONT_PORT} and no other"
            )
        if ports and name != CADDY.name:
            yield (
                f"the compose file publishes port {', '.join(ports)} of {name}: only {CADDY.name} may be reached from "
                f"outside, remove `ports` from {name}"
            )
        if service.get("network_mode") == "host":
            yield f"the compose file puts {name} on the host's network: remove its `network_mode`"
        if service.get("privileged"):
            yield f"the compose file makes {name} privileged: remove `privileged`"


def volume_problems(project: Project) -> Iterator[str]:
    """Find a data volume that another major version of Postgres wrote.

    Reads it with the existing image, if any. Postgres itself refuses such a volume, too.
    """
    volumes = project.volumes("postgres-data")
    running = containers.all_of(project).get(POSTGRES.name)
    if not volumes or (running and running.status == "running"):
        return
    image = f"plumbline/{POSTGRES.image_name}:{project.tag}"
    if engine.docker("image", "inspect", image).returncode != 0:
        return
    done = engine.docker(
        "run", "--rm", "--network=none", "--read-only", "--volume", f"{volumes[0]}:/volume:ro", "--entrypoint",
        "cat", image, "/volume/cluster/PG_VERSION",
    )  # fmt: skip
    major = done.stdout.strip()
    if done.returncode == 0 and major != str(facts.POSTGRES_MAJOR):
        yield (
            f"volume {volumes[0]} was written by Postgres {major}, this is Postgres {facts.POSTGRES_MAJOR}: dump it "
            f"with version {major} (pg_dump), remove the volume (docker volume rm {volumes[0]}), deploy, and restore "
            "the dump"
        )
