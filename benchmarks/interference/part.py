"""How long requests take while the way of a warning is disturbed, beside how long they take while it is not."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from benchmarks import dataset, house
from benchmarks.interference.faults import Fault, Stack
from benchmarks.interference.pace import CONNECTIONS, PACE_S, Paced, latencies
from benchmarks.report import Column, Report
from benchmarks.routes.case import Call

WANTED = 1.05
SLICES = 10
"""Of either side, in turns: whatever else the machine does hits both."""
SLICE_S = 1.0
_SETTLE_S = 0.3
_ROWS = 20
_COLUMNS = (
    Column("while", -24), Column("p50 quiet ms", 12), Column("p50 ratio", 9), Column("p99 quiet ms", 12),
    Column("p99 ms", 8), Column("p99 ratio", 10),
)  # fmt: skip
_EXPLANATION = f"""\
GET /channels/?limit=20 through Caddy ("Caddy down": of the backend itself), {CONNECTIONS / PACE_S:.0f} a second, from
when a request was due to the end of its answer. Slices of {SLICE_S:g} s with the fault and without take turns,
{SLICES} of each; percentiles are over all requests of a side. But for the first row the backend logs 200 warnings a
second on both sides. The last row compares quiet with quiet: what it differs from 1 is noise. Slow: Redis stands still
for 0.3 s of every 0.4 s. Beyond 5 % a row ends with <.
"""


@dataclass
class _Side:
    taken: list[float] = field(default_factory=list)

    def percentile(self, part: int) -> float:
        """In milliseconds."""
        return statistics.quantiles(self.taken, n=100)[part - 1] * 1000


def run(report: Report, only: str = "") -> None:
    """Measure every fault whose name contains `only`."""
    with house.house() as here:
        stack = Stack(here)
        world = dataset.fill(here, rows=_ROWS, elsewhere=_ROWS)
        request = Call("GET", "/channels/?limit=20").render(world.token)
        faults = [*stack.faults(), Fault("nothing", lambda: None, lambda: None)]
        table = report.table("requests while the recorder is in trouble", _COLUMNS)
        for fault in faults:
            if only in fault.name:
                port = stack.backend if fault.direct else stack.front
                quiet, disturbed = _compare(stack, fault, Paced(port, request, SLICE_S))
                ratios = {part: disturbed.percentile(part) / quiet.percentile(part) for part in (50, 99)}
                table.row(
                    {
                        "while": fault.name,
                        "p50 quiet ms": f"{quiet.percentile(50):.2f}",
                        "p50 ratio": f"x {ratios[50]:.2f}",
                        "p99 quiet ms": f"{quiet.percentile(99):.2f}",
                        "p99 ms": f"{disturbed.percentile(99):.2f}",
                        "p99 ratio": f"x {ratios[99]:.2f}{'<' if ratios[99] > WANTED else ' '}",
                    },
                    fault=fault.name,
                    quiet_p50_ms=quiet.percentile(50),
                    p50_ms=disturbed.percentile(50),
                    quiet_p99_ms=quiet.percentile(99),
                    p99_ms=disturbed.percentile(99),
                )
    report.say(_EXPLANATION)


def _compare(stack: Stack, fault: Fault, task: Paced) -> tuple[_Side, _Side]:
    quiet, disturbed = _Side(), _Side()
    stack.say(fault.warnings)
    for number in range(SLICES):
        for side in (quiet, disturbed) if number % 2 else (disturbed, quiet):
            if side is disturbed:
                fault.begin()
            try:
                time.sleep(_SETTLE_S)
                side.taken += latencies(task)
            finally:
                if side is disturbed:
                    fault.end()
    stack.say(0)
    return quiet, disturbed
