"""Each route that takes an `Idempotency-Key`, with one beside without; and without beside without: the noise."""

from __future__ import annotations

from functools import partial

from benchmarks import dataset
from benchmarks.keys.calls import repeatables
from benchmarks.load.generator import Generator
from benchmarks.report import Report
from benchmarks.routes.compare import Side, Timing, take_turns
from benchmarks.routes.table import TurnsTable
from benchmarks.stack import WITH_TABLES, bench_stack

COST_MAX = 0.05
_ROWS = 200
_EXPLANATION = f"""\
/s: answers a second without a key. ratio: with a key to without, the median over rounds; half of the rounds lie between
the two figures after it. CPU: the CPU time of an answer with a key to without, of the service and of Postgres in all
rounds, which other work of the machine changes less. noise: the same ratios of two sides that are both without a key.
With a key, a route may cost {COST_MAX:.0%} more CPU time: a higher ratio ends with <.
"""


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every route that contains `only`."""
    with bench_stack() as stack, Generator() as generator, stack.connect() as db:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        world = dataset.fill(stack, _ROWS, _ROWS)
        table = TurnsTable(report, "what an Idempotency-Key costs", "/s", cpu_max=1 + COST_MAX)
        for one in repeatables(world):
            if only not in one.route:
                continue
            db.execute("ANALYZE")
            port = stack.layout.ports[one.service]
            plain, keyed, again = (
                Side(call, port, world.token, connections=one.connections, cpu_s=partial(stack.cpu_s, one.service))
                for call in (one.call, one.with_key(), one.call)
            )
            table.row(one.route, take_turns(generator, (plain, keyed, again), timing))
        report.say(_EXPLANATION)
