"""The areas of the catalogue, each with the checks that could see its faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from plumbline.verification.faults import catalogue
from plumbline.verification.faults.fault import CatalogueError, Fault, Patch


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the product, its faults, and what is made of the checks for each: modules, or a `static` one."""

    title: str
    faults: tuple[Fault, ...]
    modules: tuple[str, ...] = ()
    static: str | None = None


def problems() -> list[str]:
    """Return every fault whose change does not apply to the files as they are now, with why."""
    found = []
    for area in areas():
        for fault in area.faults:
            try:
                if isinstance(fault.how, Patch):
                    fault.how.check()
            except CatalogueError as error:
                found.append(f"{fault.name}: {error}")
    return found


def areas() -> Iterator[Area]:
    """Yield every area of the catalogue. Raises CatalogueError."""
    names: set[str] = set()
    for module in sorted(one.name for one in iter_modules(catalogue.__path__)):
        area: Area = import_module(f"{catalogue.__name__}.{module}").AREA
        for fault in area.faults:
            if fault.name in names:
                raise CatalogueError(f"two faults are called {fault.name!r}")
            names.add(fault.name)
        yield area
