"""Ways to break manifests in one place: a module for each check, named after it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from .parts import Break

BREAKS, BREAKS_OF_A_CLUSTER = "BREAKS", "BREAKS_OF_A_CLUSTER"


def all_of(name: str) -> Iterator[tuple[str, *Break]]:
    """Yield each break in the lists called `name`, with the check that has to see it."""
    for module in iter_modules(__path__):
        for one in getattr(import_module(f".{module.name}", __package__), name, []):
            yield (module.name, *one)
