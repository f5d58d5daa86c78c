"""Each route that takes an `Idempotency-Key`, with one beside without; and without beside without: the noise."""

from __future__ import annotations

from benchmarks import dataset
from benchmarks.keys.calls import repeatables
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes.compare import Side, Timing, take_turns
from benchmarks.routes.part import name
from benchmarks.stack import WITH_TABLES, bench_stack

COST_MAX = 0.05
_ROWS = 200
_COLUMNS = (
    Column("route", -30), Column("/s", 6), Column("with key/s", 10), Column("ratio", 6), Column("half of rounds", 14),
    Column("noise", 6),
)  # fmt: skip
_EXPLANATION = f"""\
ratio: with a key to without, the median over rounds; half of the rounds lie between the two figures after it. noise:
the same ratio of two sides that are both without a key. A route with a key may cost {COST_MAX:.0%} more: a lower ratio
ends with <.
"""


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every route that contains `only`."""
    with bench_stack() as stack, Generator() as generator, stack.connect() as db:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        world = dataset.fill(stack, _ROWS, _ROWS)
        table = report.table("what an Idempotency-Key costs", _COLUMNS)
        for one in repeatables(world):
            if only not in one.route:
                continue
            db.execute("ANALYZE")
            port = stack.layout.ports[one.service]
            plain, keyed, again = (
                Side(call, port, world.token, connections=one.connections)
                for call in (one.call, one.with_key(), one.call)
            )
            turns = take_turns(generator, (plain, keyed, again), timing)
            ratio, low, high = turns.ratio(1), *turns.half(1)
            table.row(
                {
                    "route": name(one.route),
                    "/s": f"{turns.rate(0):,.0f}",
                    "with key/s": f"{turns.rate(1):,.0f}",
                    "ratio": f"{ratio:.1%}{'<' if ratio < 1 - COST_MAX else ' '}",
                    "half of rounds": f"{low:.1%} {high:.1%}",
                    "noise": f"{turns.ratio(2):.1%}",
                },
                route=one.route,
                per_s=turns.rate(0),
                with_key_per_s=turns.rate(1),
                ratio=ratio,
                half=[low, high],
                noise=turns.ratio(2),
            )
        report.say(_EXPLANATION)
