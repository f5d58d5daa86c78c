"""How long requests take while the way of a warning is disturbed, beside how long they take while it is not."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass, field
from itertools import chain

from servicekit.log.forwarder import LONGEST_PAUSE_S

from benchmarks import dataset
from benchmarks.interference.aftermath import Aftermath, aftermath
from benchmarks.interference.faults import CHATTER, Fault, Stack
from benchmarks.interference.pace import CONNECTIONS, PACE_S, Paced, latencies
from benchmarks.report import Column, Report, Table
from benchmarks.routes.case import Call
from benchmarks.stack import bench_stack

WANTED = 1.05
SLICES = 20
"""Of either side, in turns: whatever else the machine does hits both. The ratio of one run goes up and down by several
percent all the same: whoever wants to tell 5 % measures several times as many."""
SLICE_S = LONGEST_PAUSE_S
"""Nearly every slice of a flood has a hand-over of each worker in it."""
_DRAWS = 500
_SETTLE_S = 2.0
"""By then the last that a fault held back has arrived: what that costs is no part of a quiet slice. Both sides wait as
long, or what differs between them is the wait as well."""
_ROWS = 20
_COLUMNS = (
    Column("while", -17), Column("p50 quiet", 9), Column("p50 ratio", 9), Column("p99 quiet", 9),
    Column("p99 ms", 7), Column("p99 ratio", 10), Column("90 % of draws", 13),
)  # fmt: skip
_AFTER_COLUMNS = (
    Column("while", -17), Column("backend grew by MB", 18), Column("log-sink grew by MB", 19),
    Column("newest kept after s", 19),
)  # fmt: skip
_EXPLANATION = f"""\
GET /channels/?limit=20 through Caddy ("Caddy down": of the backend itself), {CONNECTIONS / PACE_S:.0f} a second, from
when a request was due to the end of its answer. Slices of {SLICE_S:g} s with the fault and without take turns,
{{slices}} of each; they begin {_SETTLE_S:g} s after the fault has begun or ended. Percentiles, in milliseconds, are
over all requests of a side. How far chance carries the ratio: pairs of neighbouring slices are drawn anew {_DRAWS}
times; 9 of 10 draws lie in the last column, and a ratio that is beyond 5 % in 19 of 20 is marked <. Warnings a second:
of both workers, beside none on the quiet side; at all other faults the backend logs 200 a second on both sides. The
last row compares quiet with quiet: what it differs from 1 is noise. Slow: Redis stands still for 0.3 s of every 0.4 s.
"""


@dataclass
class _Sides:
    """Slices of both sides; those of one index were measured one right after the other."""

    quiet: list[list[float]] = field(default_factory=list)
    disturbed: list[list[float]] = field(default_factory=list)

    def drawn(self, indices: list[int]) -> _Sides:
        """Return the pairs of slices with these indices, which may repeat."""
        return _Sides([self.quiet[index] for index in indices], [self.disturbed[index] for index in indices])

    def ratio(self, part: int) -> float:
        """How many times as long it takes while disturbed."""
        return percentile(self.disturbed, part) / percentile(self.quiet, part)

    def range_of_ratio(self, part: int) -> tuple[float, float]:
        """Return between what 9 of 10 ratios lie when pairs of slices are drawn at random (a bootstrap of blocks)."""
        chance = random.Random(part)  # noqa: S311  # the same draws in every run
        count = len(self.quiet)
        ratios = [self.drawn(chance.choices(range(count), k=count)).ratio(part) for _ in range(_DRAWS)]
        parts = statistics.quantiles(ratios, n=20)
        return parts[0], parts[-1]


def percentile(slices: list[list[float]], part: int) -> float:
    """Return it over all requests of all slices, in milliseconds."""
    taken = sorted(chain.from_iterable(slices))
    return taken[min(len(taken) - 1, len(taken) * part // 100)] * 1000


def run(report: Report, only: str = "", slices: int = SLICES) -> None:
    """Measure every fault whose name contains `only`, in `slices` of either side."""
    with bench_stack() as here:
        stack = Stack(here)
        world = dataset.fill(here, rows=_ROWS, elsewhere=_ROWS)
        request = Call("GET", "/channels/?limit=20").render(world.token)
        faults = [fault for fault in stack.faults() if only in fault.name]
        table = report.table("requests while the recorder is in trouble", _COLUMNS)
        nothing = Fault("nothing", lambda: None, lambda: None)
        for fault in [*faults, *([nothing] if only in nothing.name else [])]:
            _tell_latency(table, fault, _compare(stack, fault, request, slices))
        report.say(_EXPLANATION.format(slices=slices))
        table = report.table("memory held meanwhile, and what arrives after", _AFTER_COLUMNS)
        for fault in faults:
            _tell_aftermath(table, fault, aftermath(stack, fault))
    report.say(f"The backend logs {CHATTER:,} warnings a second through four seconds of each fault, and on after it.")


def _tell_latency(table: Table, fault: Fault, sides: _Sides) -> None:
    low, high = sides.range_of_ratio(99)
    table.row(
        {
            "while": fault.name,
            "p50 quiet": f"{percentile(sides.quiet, 50):.2f}",
            "p50 ratio": f"x {sides.ratio(50):.2f}",
            "p99 quiet": f"{percentile(sides.quiet, 99):.2f}",
            "p99 ms": f"{percentile(sides.disturbed, 99):.2f}",
            "p99 ratio": f"x {sides.ratio(99):.2f}{'<' if low > WANTED else ' '}",
            "90 % of draws": f"{low:.2f} to {high:.2f}",
        },
        fault=fault.name,
        requests=sum(map(len, sides.quiet)),
        quiet_p50_ms=percentile(sides.quiet, 50),
        p50_ms=percentile(sides.disturbed, 50),
        quiet_p99_ms=percentile(sides.quiet, 99),
        p99_ms=percentile(sides.disturbed, 99),
        p99_ratio_range=[low, high],
    )


def _tell_aftermath(table: Table, fault: Fault, left: Aftermath) -> None:
    table.row(
        {
            "while": fault.name,
            "backend grew by MB": f"{left.backend / 1e6:.1f}",
            "log-sink grew by MB": f"{left.sink / 1e6:.1f}",
            "newest kept after s": f"{left.newest_s:.2f}",
        },
        fault=fault.name,
        backend_grown_bytes=left.backend,
        sink_grown_bytes=left.sink,
        newest_s=left.newest_s,
    )


def _compare(stack: Stack, fault: Fault, request: bytes, count: int) -> _Sides:
    sides = _Sides()
    task = Paced(stack.backend if fault.direct else stack.front, request, SLICE_S)
    stack.say(fault.warnings)
    for number in range(count):
        for slices in (sides.quiet, sides.disturbed) if number % 2 else (sides.disturbed, sides.quiet):
            disturbed = slices is sides.disturbed
            if disturbed:
                fault.begin()
            try:
                time.sleep(_SETTLE_S)
                slices.append(latencies(task))
            finally:
                if disturbed:
                    fault.end()
    stack.say(0)
    return sides
