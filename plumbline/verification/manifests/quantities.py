"""Processor, memory and storage: well-formed, requested and limited, and no request above its limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from plumbline.targets.kubernetes.model import Manifests, Workload

_SHAPE = re.compile(r"(?P<number>[+-]?\d+(?:\.\d+)?|[+-]?\.\d+)(?P<unit>[EPTGMk]|[EPTGMK]i|[num]|[eE][+-]?\d+)?")
_UNITS: dict[str, Decimal | int] = {"": 1, "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": 10**3}
_UNITS |= {unit: 1000 ** (index + 2) for index, unit in enumerate("MGTPE")}
_UNITS |= {f"{unit}i": 1024 ** (index + 1) for index, unit in enumerate("KMGTPE")}


def parse(text: object) -> Decimal:
    """Return a Kubernetes quantity as a number: cores, or bytes. Raises ValueError if it is none."""
    match = _SHAPE.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    unit = match["unit"] or ""
    if unit not in _UNITS:
        return Decimal(match["number"] + unit)
    return Decimal(match["number"]) * _UNITS[unit]


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield every quantity that is malformed, missing, or contradicts its neighbour."""
    for workload in manifests.workloads():
        for container in workload.containers:
            resources = container.spec.get("resources", {})
            yield from _container(f"{workload.name} {container.name}", resources)
        for volume in workload.pod.get("volumes", []):
            if "emptyDir" in volume:
                where = f"{workload.name} volume {volume['name']}"
                yield from _positive(where, (volume["emptyDir"] or {}).get("sizeLimit"))
        yield from _in_memory(workload)
        for claim in workload.document["spec"].get("volumeClaimTemplates", []):
            yield from _positive(f"{workload.name} claim", claim["spec"]["resources"]["requests"].get("storage"))


def _in_memory(workload: Workload) -> Iterator[str]:
    """What is written to a volume in memory counts as the container's own."""
    empty = [one["emptyDir"] for one in workload.pod.get("volumes", []) if one.get("emptyDir")]
    written = sum(parse(one["sizeLimit"]) for one in empty if one.get("medium") == "Memory")
    limit = workload.main.spec["resources"]["limits"]["memory"]
    if 2 * written > parse(limit):
        yield f"{workload.name}: its volumes in memory may take most of its memory, {limit}"


def _container(where: str, resources: dict[str, dict[str, object]]) -> Iterator[str]:
    for name in ("cpu", "memory"):
        both = [resources.get(kind, {}).get(name) for kind in ("requests", "limits")]
        wrong = [line for kind in both for line in _positive(f"{where} {name}", kind)]
        yield from wrong
        if not wrong and parse(both[0]) > parse(both[1]):
            yield f"{where}: requests more {name} ({both[0]}) than its limit ({both[1]})"


def _positive(where: str, quantity: object) -> Iterator[str]:
    if quantity is None:
        yield f"{where}: no quantity is given, or only one of request and limit"
        return
    try:
        if parse(quantity) <= 0:
            yield f"{where}: {quantity} is not more than nothing"
    except ValueError as error:
        yield f"{where}: {error}"
