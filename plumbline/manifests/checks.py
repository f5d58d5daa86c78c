"""Every check, by name. Each module has one function `problems`, which yields sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plumbline.manifests import (
    capacity,
    compose,
    hardening,
    network,
    order,
    probes,
    quantities,
    references,
    schemas,
    selectors,
    settings,
)
from plumbline.manifests.model import Manifests

CHECKS: dict[str, Callable[[Manifests], Iterable[str]]] = {
    "schemas": schemas.problems,
    "references": references.problems,
    "selectors": selectors.problems,
    "quantities": quantities.problems,
    "probes": probes.problems,
    "settings": settings.problems,
    "compose": compose.problems,
    "network": network.problems,
    "hardening": hardening.problems,
    "order": order.problems,
    "capacity": capacity.problems,
}


def problems(manifests: Manifests) -> list[str]:
    """Return everything that any check finds, each with the check's name before it."""
    return [f"{name}: {problem}" for name, check in CHECKS.items() for problem in check(manifests)]
