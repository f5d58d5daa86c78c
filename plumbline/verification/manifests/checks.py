"""Every check by its name. Each module has one function `problems`, which yields sentences."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

from plumbline.components import BASELINE
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import (
    availability,
    capacity,
    compose,
    hardening,
    network,
    order,
    postgres,
    priority,
    probes,
    quantities,
    references,
    schemas,
    selectors,
    settings,
)

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
    "availability": availability.problems,
    "postgres": postgres.problems,
    "order": order.problems,
    "capacity": capacity.problems,
    "priority": priority.problems,
}

OF_THIS_RELEASE = frozenset({"probes", "compose", "postgres", "order", "capacity"})
"""Checks that compare with what this release consists of. Tests of its own compare the baseline."""


def problems(manifests: Manifests) -> list[str]:
    """Return everything that any check finds, each with the check's name before it."""
    chosen = [name for name in CHECKS if BASELINE.name not in manifests.pods() or name not in OF_THIS_RELEASE]
    return [f"{name}: {problem}" for name in chosen for problem in found(name, manifests)]


def found(name: str, manifests: Manifests) -> list[str]:
    """Return what one check finds. Input that is missing or malformed is a finding, too."""
    problems: list[str] = []
    try:
        problems.extend(CHECKS[name](manifests))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        problems.append(
            f"something that it reads is missing or malformed: {error!r} ({place.filename.rpartition('/')[2]}:"
            f"{place.lineno}, {place.line})"
        )
    return problems
