"""Every route of both services beside the floor of its kind, on one database in one run."""

from __future__ import annotations

from benchmarks import dataset
from benchmarks.dataset import World
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes import backend, data_processor
from benchmarks.routes.case import Case
from benchmarks.routes.compare import Side, Timing, compare
from benchmarks.stack import SERVICES, bench_stack

WANTED = 0.6
ELSEWHERE = 5000
FLOORS = {"backend": "bare_asgi", "data-processor": "bare_django"}
_SOCKET_FLOOR = "bare_socket"
_COLUMNS = (Column("route", -41), Column("work", -18), Column("floor/s", 7), Column("/s", 6), Column("ratio", 6))
_EXPLANATION = """\
`work` is what route and floor both do, on the same tables of the same database; floor: Starlette, psycopg and orjson
on uvicorn (backend; its WebSocket's: an echo on granian), Django's .values() and orjson on granian (data-processor).
The floor of a list answers the same columns (documents: ten of them), that of a write stores as many rows. Where work
is inherent the floor does it too: argon2 (hash, verify), judging a file and drawing a thumbnail. Rows less than 60 %
of their floor end with <.
"""


def cases(world: World) -> dict[str, list[Case]]:
    """Return the cases of each service."""
    return {"backend": backend.cases(world), "data-processor": data_processor.cases(world)}


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every case whose route contains `only`."""
    with bench_stack() as here, Generator() as generator, here.connect() as db:
        ports = {service: here.serve(service) for service in SERVICES}
        floors = {service: here.serve_floor(FLOORS[service], service) for service in SERVICES}
        socket_floor = here.serve_floor(_SOCKET_FLOOR, "backend")
        world = dataset.fill(here, rows=2 * dataset.PAGE, elsewhere=ELSEWHERE)
        for service, some in cases(world).items():
            wanted = [case for case in some if only in f"{case.route} {case.variant}"]
            if not wanted:
                continue
            table = report.table(f"{service}: routes beside their floors, 2 processes, 16 connections", _COLUMNS)
            for case in wanted:
                # As Postgres does by itself within a minute: plans for tables that have since grown are no measure.
                db.execute("ANALYZE")
                token = world.operator_token if case.as_operator else world.token
                floor, route = (
                    Side(call, port, token, db, case.values, case.items, case.frame)
                    for call, port in (
                        (case.floor, socket_floor if case.frame else floors[service]),
                        (case.call, ports[service]),
                    )
                )
                found = compare(generator, floor, route, timing)
                table.row(
                    {
                        "route": name(case),
                        "work": case.work,
                        "floor/s": f"{found.first:,.0f}",
                        "/s": f"{found.second:,.0f}",
                        "ratio": f"{found.ratio:.0%}{'<' if found.ratio < WANTED else ' '}",
                    },
                    route=case.route,
                    variant=case.variant,
                    floor_per_s=found.first,
                    per_s=found.second,
                    ratio=found.ratio,
                )
        report.say(_EXPLANATION)


def name(case: Case) -> str:
    """Return the route without what every route of its service begins with, and without the names of ids."""
    method, path = case.route.split(" ", 1)
    short = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
    return f"{method} {short.removeprefix('/data-processor')} {case.variant}".strip()
