"""What each service declares. A process of its own imports the service, because the harness imports none."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from plumbline import ROOT, environment
from plumbline.components import SERVICES, SPECS
from plumbline.errors import PlumblineError

PROBES = {name: SPECS[name].package for name in SERVICES}
"""Service (a folder of services/) to the module beside this one that reads it, named as its package is."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a service's typed settings. `default` is None where a value must be given.

    `deployed` says why only the deployment sets it; it is empty for a setting of `settings.env`.
    """

    variable: str
    type: str
    default: str | None
    description: str
    secret: bool
    deployed: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: the table it points to and what deleting the row there does."""

    table: str
    on_delete: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column, its type in Postgres's words."""

    name: str
    type: str
    nullable: bool
    primary_key: bool
    references: Reference | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `purpose` is empty if the code has no docstring or comment."""

    name: str
    purpose: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One path with one method (WS for a WebSocket). `does` is empty if the code has no docstring."""

    method: str
    path: str
    does: str


@dataclass(frozen=True, slots=True)
class Service:
    """All that one service declares. `bookkeeping` holds the tables of its migration tool.

    `openapi` is its description in OpenAPI, `frames` are those that it sends and takes; empty if it has none.
    """

    name: str
    settings: tuple[Setting, ...]
    routes: tuple[Route, ...]
    tables: tuple[Table, ...]
    bookkeeping: tuple[Table, ...]
    openapi: dict[str, Any]
    frames: dict[str, Any]


@cache
def services() -> dict[str, Service]:
    """Read every service. Raises PlumblineError if one cannot be read."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(PROBES, pool.map(_ask, PROBES), strict=True))


def _ask(name: str) -> Service:
    folders = (ROOT, ROOT / "services" / name, ROOT / "services" / "servicekit")
    done = subprocess.run(
        [sys.executable, "-m", f"plumbline.verification.introspection.{PROBES[name]}"],
        # Without the caller's environment: a PLUMBLINE_ variable of a running stack would show as a default.
        env=environment.for_python(*folders) | {"LC_ALL": "C.UTF-8"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise PlumblineError(
            f"{name} cannot be read (exit code {done.returncode}):\n{last}",
            hint=f"fix services/{name}: the last line says what is wrong",
        )
    return _service(name, json.loads(done.stdout))


def _service(name: str, said: dict[str, Any]) -> Service:
    return Service(
        name=name,
        settings=tuple(Setting(**item) for item in said["settings"]),
        routes=tuple(Route(**item) for item in said["routes"]),
        tables=tuple(map(_table, said["tables"])),
        bookkeeping=tuple(map(_table, said["bookkeeping"])),
        openapi=said["openapi"],
        frames=said["frames"],
    )


def _table(said: dict[str, Any]) -> Table:
    columns = [
        Column(**{**item, "references": Reference(**item["references"]) if item["references"] else None})
        for item in said["columns"]
    ]
    return Table(said["name"], said["purpose"], tuple(columns))
