"""Every list in a small database beside the same list in a large one: the cost of a page must not grow.

What it reads is counted at sizes in between, too, because plans change most where tables begin to fill pages.
"""

from __future__ import annotations

from benchmarks import dataset
from benchmarks.dataset import PAGE, World
from benchmarks.lists.plans import Plan, plans
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes.case import Call
from benchmarks.routes.compare import Side, Timing, compare
from benchmarks.routes.table import name
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack

SMALL = 5 * PAGE
LARGE = 500_000
BETWEEN = (10, 200, 1_000, 100_000)
_COLUMNS = (
    Column("list", -30), Column("small/s", 7), Column("large/s", 7), Column("ratio", 6), Column("bare/s", 7),
)  # fmt: skip
_EXPLANATION = f"""\
small: {SMALL} rows of everything in the channel that is listed (of public channels, annotations of the document) and
{SMALL} elsewhere, so tables have {2 * SMALL:,} rows; large: {LARGE:,} and {LARGE:,}. bare: the statement of the list,
prepared, in the large one, over one connection of psycopg that only fetches the rows. Below: the 8 KB blocks of tables
and indexes that EXPLAIN (ANALYZE, BUFFERS) counts for the page, with {", ".join(f"{rows:,}" for rows in BETWEEN)} and
{LARGE:,} rows here and elsewhere; and the nodes of the large one's plan that read or sort.
"""


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every list whose route contains `only`."""
    between = [_plans_at(rows) for rows in BETWEEN]
    with bench_stack() as small, bench_stack() as large, Generator() as generator:
        stacks = (small, large)
        worlds = [_fill(stack, rows) for stack, rows in zip(stacks, (SMALL, LARGE), strict=True)]
        table = report.table(f"lists of {PAGE}: in small tables and in large ones", _COLUMNS)
        for service in WITH_TABLES:
            calls = [lists(world)[service] for world in worlds]
            found = [plans(stack, world, service) for stack, world in zip(stacks, worlds, strict=True)]
            for route in calls[0]:
                if only not in route:
                    continue
                first, second = (
                    Side(call[route], stack.layout.ports[service], world.token, PAGE)
                    for call, stack, world in zip(calls, stacks, worlds, strict=True)
                )
                speeds = compare(generator, first, second, timing)
                before, after = (plan[route] for plan in found)
                blocks = [*(size[service][route].blocks for size in between), after.blocks]
                table.row(
                    {
                        "list": name(route),
                        "small/s": f"{speeds.first:,.0f}",
                        "large/s": f"{speeds.second:,.0f}",
                        "ratio": f"{speeds.ratio:.0%}",
                        "bare/s": f"{after.bare_per_s:,.0f}",
                    },
                    route=route,
                    small_per_s=speeds.first,
                    large_per_s=speeds.second,
                    ratio=speeds.ratio,
                    blocks=blocks,
                    small_plan=before.as_json(),
                    large_plan=after.as_json(),
                )
                table.note(f"{', '.join(map(str, blocks))} blocks: {after.words()}")
        report.say(_EXPLANATION)


def _plans_at(rows: int) -> dict[str, dict[str, Plan]]:
    """Return the plan of each list of each service in a database of this size."""
    with bench_stack() as stack:
        world = _fill(stack, rows)
        return {service: plans(stack, world, service) for service in WITH_TABLES}


def _fill(stack: BenchStack, rows: int) -> World:
    for service in WITH_TABLES:
        stack.begin(service)
    stack.wait_for_all()
    return dataset.fill(stack, rows, rows)


def lists(world: World) -> dict[str, dict[str, Call]]:
    """Return the call of every list by its route, as `lists.statements` names it."""

    def page(path: str, query: str = "") -> Call:
        return Call("GET", f"{path}?{query}limit={PAGE}")

    here, channel = f"channel_id={world.channel_id}&", f"/channels/{world.channel_id}"
    service = "/data-processor"
    return {
        "backend": {
            "GET /channels/": page("/channels/"),
            "GET /channels/search": page("/channels/search", "name=listed&"),
            "GET /channels/{channel_id}/members": page(f"{channel}/members"),
            "GET /channels/{channel_id}/messages": page(f"{channel}/messages"),
        },
        "data-processor": {
            "GET /data-processor/documents/": page(f"{service}/documents/", here),
            "GET /data-processor/documents/{document_id}/annotations/": page(
                f"{service}/documents/{world.document_id}/annotations/"
            ),
            "GET /data-processor/templates/ channel": page(f"{service}/templates/", here),
            "GET /data-processor/templates/ all": page(f"{service}/templates/"),
            "GET /data-processor/batch/ channel": page(f"{service}/batch/", here),
            "GET /data-processor/batch/ all": page(f"{service}/batch/"),
        },
    }
