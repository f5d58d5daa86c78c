"""The most used routes, each beside its floor, on one database in one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import dataset
from benchmarks.dataset import World
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes.cases import cases
from benchmarks.routes.compare import Side, Timing, compare
from benchmarks.routes.table import name
from benchmarks.stack import SERVICES, BenchStack, bench_stack

WANTED = 0.6
ELSEWHERE = 5000
_COLUMNS = (Column("route", -41), Column("work", -18), Column("floor/s", 7), Column("/s", 6), Column("ratio", 6))
_EXPLANATION = """\
`work` is what route and floor both do, on the same tables of the same database. Floor: Starlette, psycopg, redis-py and
orjson on uvicorn (backend; log-sink, in one process as it), Django's .values() and orjson on granian (data-processor).
The floor of a list answers the same columns (documents: ten of them), that of a write stores as many rows. Where work
is inherent the floor does it too: argon2 (verify), judging a file. Rows less than 60 % of their floor end with <.
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A stack with every service, the port of each floor, and the ids of the data."""

    stack: BenchStack
    floors: dict[str, int]
    world: World


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every case whose route contains `only`."""
    with running() as here, Generator() as generator, here.stack.connect() as db:
        for service, every in cases(here.world).items():
            wanted = [case for case in every if only in case.route]
            if not wanted:
                continue
            table = report.table(f"{service}: routes beside their floors", _COLUMNS)
            for case in wanted:
                # Autovacuum would do so within a minute; until then plans would suit tables that have grown since.
                db.execute("ANALYZE")
                floor, route = (
                    Side(call, port, here.world.token, case.items, case.numbers, case.connections)
                    for call, port in (
                        (case.floor, here.floors[service]),
                        (case.call, here.stack.layout.ports[service]),
                    )
                )
                found = compare(generator, floor, route, timing)
                table.row(
                    {
                        "route": name(case.route),
                        "work": case.work,
                        "floor/s": f"{found.first:,.0f}",
                        "/s": f"{found.second:,.0f}",
                        "ratio": f"{found.ratio:.0%}{'<' if found.ratio < WANTED else ' '}",
                    },
                    route=case.route,
                    floor_per_s=found.first,
                    per_s=found.second,
                    ratio=found.ratio,
                )
        report.say(_EXPLANATION)


@contextmanager
def running(workers: int | None = None) -> Iterator[Running]:
    """Start every service and its floor, all at once, with data in the database and in the recorder."""
    with bench_stack(workers=workers) as stack:
        for service in SERVICES:
            stack.begin(service)
        floors = {
            "backend": stack.begin_floor("bare_asgi", "backend"),
            "data-processor": stack.begin_floor("bare_django", "data-processor"),
            "log-sink": stack.begin_floor("bare_asgi", "backend", workers=1),
        }
        stack.wait_for_all()
        dataset.record(stack)
        yield Running(stack, floors, dataset.fill(stack, rows=2 * dataset.PAGE, elsewhere=ELSEWHERE))
