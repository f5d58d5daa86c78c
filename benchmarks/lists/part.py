"""Every list in a small database beside the same list in a large one: the cost of a page must not grow."""

from __future__ import annotations

from benchmarks import dataset
from benchmarks.dataset import World
from benchmarks.lists.plans import Plan, plans
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes.case import Case
from benchmarks.routes.compare import Side, Timing, compare
from benchmarks.routes.part import cases, name
from benchmarks.stack import SERVICES, BenchStack, bench_stack

SMALL = 2 * dataset.PAGE
LARGE = 200_000
_COLUMNS = (Column("list", -37), Column("small/s", 8), Column("large/s", 8), Column("ratio", 6), Column("blocks", 17))
_EXPLANATION = f"""\
small: {SMALL} rows of everything in the channel that is listed (of public channels, annotations of the document) and
{SMALL} elsewhere; large: {LARGE:,} and {LARGE:,}. blocks: the 8 KB blocks of tables and indexes that EXPLAIN (ANALYZE,
BUFFERS) counts for the page, small and large; below it the nodes of the large one's plan that read or sort.
"""


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every list whose route contains `only`."""
    with bench_stack() as small, bench_stack() as large, Generator() as generator:
        worlds = [_furnish(one, rows) for one, rows in ((small, SMALL), (large, LARGE))]
        found = [_plans(one, world) for one, world in zip((small, large), worlds, strict=True)]
        table = report.table(f"lists of {dataset.PAGE}: in small tables and in large ones", _COLUMNS)
        for service in SERVICES:
            pairs = zip(*(_lists(world, service) for world in worlds), strict=True)
            for cases_ in pairs:
                case = cases_[0]
                label = f"{case.route} {case.variant}".strip()
                if only not in label:
                    continue
                with small.connect() as db:
                    first, second = (
                        Side(one.call, at.layout.ports[service], world.token, db, items=one.items)
                        for one, at, world in zip(cases_, (small, large), worlds, strict=True)
                    )
                    speeds = compare(generator, first, second, timing)
                before, after = (each[label] for each in found)
                table.row(
                    {
                        "list": name(case),
                        "small/s": f"{speeds.first:,.0f}",
                        "large/s": f"{speeds.second:,.0f}",
                        "ratio": f"{speeds.ratio:.0%}",
                        "blocks": f"{before.blocks} -> {after.blocks}",
                    },
                    route=case.route,
                    variant=case.variant,
                    small_per_s=speeds.first,
                    large_per_s=speeds.second,
                    ratio=speeds.ratio,
                    small_plan=before.as_json(),
                    large_plan=after.as_json(),
                )
                table.note(after.words())
        report.say(_EXPLANATION)


def _furnish(one: BenchStack, rows: int) -> World:
    for service in SERVICES:
        one.serve(service)
    return dataset.fill(one, rows, rows)


def _plans(one: BenchStack, world: World) -> dict[str, Plan]:
    return {label: plan for service in SERVICES for label, plan in plans(one, world, service).items()}


def _lists(world: World, service: str) -> list[Case]:
    return [case for case in cases(world)[service] if case.items]
