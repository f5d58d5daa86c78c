"""What containers are told in Compose: addresses of each other, and no setting that changes how the product behaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from plumbline.components import COMPONENTS, MIGRATING, OWNERS, PORTS, POSTGRES, SPECS, ComponentSpec, variable
from plumbline.verification.checks.processes import WORKERS

_EVERYWHERE = "0.0.0.0"  # noqa: S104  of a container, which only the stack's network reaches
_IDENTITY = "PLUMBLINE_STACK_ID"
_BY_HAND = "${PLUMBLINE_STACK_ID:-by-hand}"


def expected(spec: ComponentSpec, *, migrates: bool = False) -> dict[str, str]:
    """Return the whole environment of a component's container, or of its migrations."""
    found = {f"PLUMBLINE_{secret.upper()}_FILE": f"/run/secrets/{secret}" for secret in spec.secrets}
    if migrates:
        found |= {f"PLUMBLINE_{secret.upper()}_FILE": f"/run/secrets/{secret}" for secret in spec.migration_secrets}
    for port in spec.ports:
        if port.setting:
            found[port.setting] = str(port.number)
            found[port.setting.replace("_PORT", "_HOST")] = _EVERYWHERE
    if spec.package:
        # docker/defaults/stack.env is the same for all of our components.
        found |= {_IDENTITY: _BY_HAND, "PLUMBLINE_WORKERS": str(WORKERS[spec.name]), "PLUMBLINE_HOST": _EVERYWHERE}
    for called in spec.calls:
        found |= _address(called)
    if spec is POSTGRES or POSTGRES.port.name in spec.calls:
        found |= {"PLUMBLINE_POSTGRES_DB": "app_db", "PLUMBLINE_POSTGRES_USER": "app_user"}
    return found


def _address(port: str) -> dict[str, str]:
    place = f"{OWNERS[port]}:{PORTS[port].number}"
    match port:
        case "postgres":
            return {"PLUMBLINE_POSTGRES_HOST": OWNERS[port]}
        case "redis":
            return {"PLUMBLINE_REDIS_URL": f"redis://{place}/0"}
        case "internal":
            return {"PLUMBLINE_LOG_FORWARD_URL": f"http://{place}/ingest"}
        case _:
            return {f"PLUMBLINE_{variable(port)}": place}


def problems(environments: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield each variable that a service of the Compose file, before substitution, lacks, has wrong or too many."""
    wanted = {name: expected(SPECS[name]) for name in COMPONENTS}
    wanted |= {f"migrate-{name}": expected(SPECS[name], migrates=True) for name in MIGRATING}
    for name, variables in wanted.items():
        found = environments.get(name, {})
        for one in sorted(found.keys() | variables.keys()):
            if re.fullmatch(r"PLUMBLINE_\w+_FILE", one):
                continue  # compared with the secrets of the container
            if found.get(one) != variables.get(one):
                yield f"{name} is told {one}={found.get(one)}; expected {variables.get(one) or 'it not to be set'}"
