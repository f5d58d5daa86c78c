"""How long requests take while their service logs warnings, beside how long they take while it logs none."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from benchmarks import dataset
from benchmarks.interference.chatty_stack import ChattyStack
from benchmarks.interference.flood import flood
from benchmarks.interference.pace import CONNECTIONS, PACE_S, Paced, latencies
from benchmarks.report import Column, Report, Table
from benchmarks.routes.case import Call
from benchmarks.stack import bench_stack

RATES = (1_000, 10_000)
"""Warnings a second of all workers: a rate without measurable cost, and a rate that must be survived."""
SLICES = 20
"""Per side, in turns, so that other work of the machine affects both."""
_SLICE_S = 2.0
_SETTLE_S = 0.5
"""By then the last warnings of the slice before have been sent. Both sides wait."""
_DRAWS = 500
_ROWS = 20
_COLUMNS = (
    Column("warnings/s", 10), Column("p50 quiet", 9), Column("p50 ratio", 9), Column("p50 draws", 12),
    Column("p99 quiet", 9), Column("p99 ratio", 9), Column("p99 draws", 12),
)  # fmt: skip
_FLOOD_COLUMNS = (
    Column("logged", 9), Column("received", 9), Column("kept", 5), Column("superseded", 10), Column("dropped", 7),
    Column("backend +MB", 11), Column("log-sink +MB", 12), Column("ended", 5),
)  # fmt: skip
_EXPLANATION = f"""\
GET /channels/?limit=20 through Caddy, {CONNECTIONS / PACE_S:.0f} a second, from when a request was due to the end of
its answer, in milliseconds. Slices of {_SLICE_S:g} s with warnings and without take turns, {{slices}} of each. How far
chance carries a ratio: pairs of neighbouring slices are redrawn {_DRAWS} times, and 9 of 10 draws lie between the
two figures. The row with 0 warnings compares quiet with quiet, so its ratios are noise. A ratio ends with < if its
draws lie above those of that row.
"""


@dataclass
class Sides:
    """Requests' seconds in slices of both sides; those of one index were measured one right after the other."""

    quiet: list[list[float]] = field(default_factory=list)
    logging: list[list[float]] = field(default_factory=list)

    def ratio(self, part: int) -> float:
        """Return how many times as long a percentile is while warnings are logged."""
        return percentile(self.logging, part) / percentile(self.quiet, part)

    def draws(self, part: int) -> tuple[float, float]:
        """Return between what 9 of 10 ratios lie when pairs of slices are drawn at random (a bootstrap of blocks)."""
        chance = random.Random(part)  # noqa: S311  # the same draws in every run
        ratios = []
        for _ in range(_DRAWS):
            drawn = chance.choices(range(len(self.quiet)), k=len(self.quiet))
            ratios.append(Sides([self.quiet[one] for one in drawn], [self.logging[one] for one in drawn]).ratio(part))
        parts = statistics.quantiles(ratios, n=20)
        return parts[0], parts[-1]


def percentile(slices: list[list[float]], part: int) -> float:
    """Return it over all requests of all slices, in milliseconds."""
    taken = sorted(chain.from_iterable(slices))
    return taken[min(len(taken) - 1, len(taken) * part // 100)] * 1000


def run(report: Report, slices: int = SLICES) -> None:
    """Measure with `slices` of either side."""
    with bench_stack() as here:
        stack = ChattyStack(here)
        world = dataset.fill(here, rows=_ROWS, elsewhere=_ROWS)
        task = Paced(stack.front, Call("GET", "/channels/?limit=20").render(world.token), _SLICE_S)
        table = report.table("requests beside warnings", _COLUMNS)
        noise = _compare(stack, 0, task, slices)
        _tell(table, 0, noise, noise)
        for warnings in RATES:
            _tell(table, warnings, _compare(stack, warnings, task, slices), noise)
        report.say(_EXPLANATION.format(slices=slices))
        _flood(report, stack, RATES[-1])


def _compare(stack: ChattyStack, warnings: int, task: Paced, count: int) -> Sides:
    sides = Sides()
    for number in range(count):
        for slices in (sides.quiet, sides.logging) if number % 2 else (sides.logging, sides.quiet):
            stack.log(warnings if slices is sides.logging else 0)
            time.sleep(_SETTLE_S)
            slices.append(latencies(task))
    stack.log(0)
    return sides


def _tell(table: Table, warnings: int, sides: Sides, noise: Sides) -> None:
    cells = {"warnings/s": f"{warnings:,}"}
    data: dict[str, Any] = {"warnings": warnings, "requests": sum(map(len, sides.quiet))}
    for part in (50, 99):
        low, high = sides.draws(part)
        is_beyond = low > noise.draws(part)[1]
        quiet, ratio = percentile(sides.quiet, part), sides.ratio(part)
        cells[f"p{part} quiet"] = f"{quiet:.2f}"
        cells[f"p{part} ratio"] = f"x {ratio:.2f}{'<' if is_beyond else ' '}"
        cells[f"p{part} draws"] = f"{low:.2f} to {high:.2f}"
        data |= {f"quiet_p{part}_ms": quiet, f"p{part}_ratio": ratio, f"p{part}_draws": [low, high]}
    table.row(cells, **data)


def _flood(report: Report, stack: ChattyStack, warnings: int) -> None:
    table = report.table(f"{warnings:,} warnings a second: what is counted, and memory", _FLOOD_COLUMNS)
    left = flood(stack, warnings)
    cells = {name: f"{count:,}" for name, count in left.counts.items()}
    cells |= {f"{name} +MB": f"{grown / 1e6:.1f}" for name, grown in left.grown.items()}
    cells |= {"logged": f"{left.logged:,}", "ended": str(left.ended)}
    table.row(cells, logged=left.logged, counts=left.counts, grown_bytes=left.grown, ended=left.ended)
    report.say(
        "Counted are all warnings of this run, and ten more seconds of them. received = kept + superseded + dropped. "
        "+MB: by how much the processes grew at most in these seconds; ended: how many of them ended."
    )
