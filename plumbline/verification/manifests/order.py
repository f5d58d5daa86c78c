"""The manifests start components in the order of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from plumbline.components import (
    BACKEND,
    CADDY,
    MIGRATING,
    POSTGRES,
    SERVICES,
    SPECS,
    TABLE,
    migration_step,
    started_by,
    variable,
)
from plumbline.plan import PLAN
from plumbline.targets.kubernetes.model import Container, Manifests

_MIGRATIONS = tuple(map(migration_step, MIGRATING))
CHAIN = (POSTGRES.step_name, *_MIGRATIONS, BACKEND.step_name, CADDY.step_name)
"""Steps that have to wait for the step before them."""

_STEP_OF = {one.name: one.step_name for one in TABLE}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every wait that contradicts the plan, and every wait of the plan that the manifests lack."""
    planned = [step.name for step in PLAN]
    waits = derived(manifests)
    for before, after in sorted(waits):
        if planned.index(before) >= planned.index(after):
            yield f"{after} waits for {before}, which the plan has later"
    chain = [one for one in CHAIN if one != POSTGRES.step_name or POSTGRES.name in manifests.pods()]
    for before, after in pairwise(chain):
        for component in [one for one, step in _STEP_OF.items() if step == after] or [after]:
            if (before, after) not in _waits_of(manifests, component):
                yield f"{component} does not wait for {before}"
    for job in (one for one in manifests.workloads() if one.document["kind"] == "Job"):
        looked = {one.image for one in job.containers if not one.init and _does(one, "wait")}
        for image in sorted({one.image for one in job.containers if one.init} - looked):
            yield f"{job.name} ends without a look whether the tables of {image} are at head"
    # The second chain comes after the first, but a check of one alone would accept a half-restored schema.
    for spec in (one for one in TABLE if one.needs_schema):
        for step in _MIGRATIONS[:-1]:
            if (step, spec.step_name) not in _waits_of(manifests, spec.name):
                yield f"{spec.name} does not wait for {step}"
    if sorted(chain, key=planned.index) != chain:
        yield f"the plan no longer has {', '.join(chain)} in this order"


def derived(manifests: Manifests) -> set[tuple[str, str]]:
    """Return pairs of steps of the plan: the manifests start the second after the first."""
    components = [*_STEP_OF, *_MIGRATIONS]
    return {pair for component in components for pair in _waits_of(manifests, component)}


def _waits_of(manifests: Manifests, component: str) -> set[tuple[str, str]]:
    if component in _MIGRATIONS:
        return _waits_of_migration(manifests, component)
    found: set[tuple[str, str]] = set()
    after = _STEP_OF[component]
    workload = next((one for one in manifests.workloads() if one.component == component), None)
    if workload is None:
        return found
    for container in workload.containers:
        if not container.init or not _ends(container):
            continue
        if _does(container, "wait"):
            found.add((migration_step(container.image.removeprefix("plumbline/")), after))
        text = " ".join(container.spec.get("args", []))
        for service in SERVICES:
            if f"$PLUMBLINE_{variable(service)}/" in text:
                found.add((_STEP_OF[service], after))
    # Caddy waits for the step only if it waits for both services.
    if component == CADDY.name:
        text = " ".join(" ".join(one.spec.get("args", [])) for one in workload.containers if one.init and _ends(one))
        if not all(f"$PLUMBLINE_{variable(one)}/" in text for one in CADDY.needs if one in started_by(BACKEND.step)):
            found.discard((BACKEND.step, after))
    startup = workload.main.spec.get("startupProbe", {}).get("httpGet", {}).get("path", "")
    if startup and startup == SPECS[component].health_path:
        found |= {(_STEP_OF[one], after) for one in SPECS[component].needs}
    return found


def _waits_of_migration(manifests: Manifests, step: str) -> set[tuple[str, str]]:
    jobs = [one for one in manifests.workloads() if one.document["kind"] == "Job"]
    order: list[str] = []
    for container in (one for job in jobs for one in job.containers if one.init):
        service = container.image.removeprefix("plumbline/")
        if _does(container, "migrate") and _ends(container):
            order.append(migration_step(service))
        elif _does(container, "wait", "database") and _ends(container):
            order.append(POSTGRES.step_name)
    if step not in order:
        return set()
    return {(before, step) for before in order[: order.index(step)]}


def _does(container: Container, *arguments: str) -> bool:
    """Say whether a container runs its image's own program with these arguments."""
    return "command" not in container.spec and container.spec.get("args") == [*arguments]


def _ends(container: Container) -> bool:
    """Say whether the next container waits for its end. With restartPolicy Always it waits only for its start."""
    return container.spec.get("restartPolicy") != "Always"
