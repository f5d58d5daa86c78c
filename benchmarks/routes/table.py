"""Tables of routes whose two sides took turns, with the first side beside itself: the noise."""

from __future__ import annotations

import math

from benchmarks.report import Column, Report, Table
from benchmarks.routes.compare import Turns


class TurnsTable:
    """A table with a row for each route. Side 1 is compared with side 0; side 2 is the same as side 0.

    A ratio below `ratio_min` ends with <, and so does a CPU ratio above `cpu_max`.
    """

    def __init__(
        self, report: Report, title: str, first: str, *, ratio_min: float = 0.0, cpu_max: float = math.inf
    ) -> None:
        self._first = first
        self._ratio_min = ratio_min
        self._cpu_max = cpu_max
        self._table: Table = report.table(
            title,
            (
                Column("route", -26), Column(first, 7), Column("ratio", 7), Column("half of rounds", 14),
                Column("noise", 7), Column("CPU", 7), Column("noise ", 7),
            ),
        )  # fmt: skip

    def row(self, route: str, turns: Turns) -> None:
        """Print a row and keep its data."""
        ratio, cpu, low, high = turns.ratio(1), turns.cpu(1), *turns.half(1)
        self._table.row(
            {
                "route": name(route),
                self._first: f"{turns.rate(0):,.0f}",
                "ratio": f"{ratio:.1%}{'<' if ratio < self._ratio_min else ' '}",
                "half of rounds": f"{low:.1%} {high:.1%}",
                "noise": f"{turns.ratio(2):.1%}",
                "CPU": f"{cpu:.1%}{'<' if cpu > self._cpu_max else ' '}",
                "noise ": f"{turns.cpu(2):.1%}",
            },
            route=route,
            first_per_s=turns.rate(0),
            ratio=ratio,
            half=[low, high],
            noise=turns.ratio(2),
            cpu_ratio=cpu,
            cpu_noise=turns.cpu(2),
            cpu_s=turns.cpu_s,
        )


def name(route: str) -> str:
    """Return the route without the prefix of its service and the names of ids."""
    short = "/".join("{}" if part.startswith("{") else part for part in route.split("/"))
    return short.replace("/data-processor/", "/")
