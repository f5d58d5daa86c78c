"""Kubernetes quantities, such as 250m and 1Gi."""

from __future__ import annotations

import re
from decimal import Decimal

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
