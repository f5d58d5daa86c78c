"""The memory of an idle stack of local processes, by component."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.report import Column, Report

WANTED_MIB = 400
_STILL_S = 5.0
_STILL = 0.01
_LOOKS_MAX = 12
_SUPERVISOR = "supervisor"
_COLUMNS = (Column("component", -16), Column("processes", 9), Column("PSS MiB", 8), Column("RSS MiB", 8))
_EXPLANATION = """\
PSS: memory that several processes share counts once. RSS: it counts in each of them. Measured when two looks, five
seconds apart, differ by less than 1 %.
"""


@dataclass(slots=True)
class Taken:
    """What the processes of a component take, in MiB."""

    processes: int = 0
    pss: float = 0.0
    rss: float = 0.0


def run(report: Report, home: Path) -> None:
    """Measure the running stack of `home`."""
    found = _at_rest(home)
    table = report.table("memory at rest", _COLUMNS)
    together = Taken(*(sum(getattr(one, name) for one in found.values()) for name in ("processes", "pss", "rss")))
    for component, taken in {**found, "together": together}.items():
        cells = {"component": component, "processes": f"{taken.processes:.0f}"}
        cells |= {"PSS MiB": f"{taken.pss:.1f}", "RSS MiB": f"{taken.rss:.1f}"}
        table.row(cells, component=component, processes=taken.processes, pss_mib=taken.pss, rss_mib=taken.rss)
    table.note(f"wanted: at most {WANTED_MIB} MiB")
    report.say(_EXPLANATION)


def _at_rest(home: Path) -> dict[str, Taken]:
    before, found = 0.0, look(home)
    for _ in range(_LOOKS_MAX):
        now = sum(one.pss for one in found.values())
        if abs(now - before) < _STILL * now:
            break
        time.sleep(_STILL_S)
        before, found = now, look(home)
    return found


def look(home: Path) -> dict[str, Taken]:
    """Return what each component takes now. The supervisor runs each in a folder of its name."""
    supervisor = psutil.Process(int((home / "run" / "supervisord.pid").read_text()))
    found: dict[str, Taken] = defaultdict(Taken)
    _add(found[_SUPERVISOR], supervisor)
    for main in supervisor.children():
        name = Path(main.cwd()).name
        for one in (main, *main.children(recursive=True)):
            _add(found[name], one)
    return dict(found)


def _add(taken: Taken, process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        memory = process.memory_full_info()
        taken.processes += 1
        taken.pss += memory.pss / 2**20
        taken.rss += memory.rss / 2**20
