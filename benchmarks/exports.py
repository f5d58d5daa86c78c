"""How many values a second an export sends, beside the same statements in bare psycopg."""

from __future__ import annotations

import statistics
import time

from benchmarks import dataset
from benchmarks.dataset import World
from benchmarks.report import Column, Report, Table
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack
from plumbline.errors import PlumblineError
from plumbline.verification.throwaway import through_caddy

DOCUMENTS = 1_000
VALUES_EACH = 10
ELSEWHERE = (1_000, 1_000_000)
"""Values of other channels in the database."""
FORMATS = {
    "json": "json",
    "csv": "csv",
    "sql, postgresql": "sql&dialect=postgresql",
    "sql, sqlite": "sql&dialect=sqlite",
}
ROUNDS = 5
_TIMEOUT_S = 300
_COLUMNS = (
    Column("export", -16), Column("elsewhere", 10), Column("values/s", 9), Column("bare/s", 9), Column("ratio", 6),
    Column("MB", 6),
)  # fmt: skip
_EXPLANATION = f"""\
A channel of {DOCUMENTS:,} documents with {VALUES_EACH} values each, read by one client. The service writes an export
before it sends it, to announce its length; bare psycopg runs the statements and only counts the rows.
"""
_VALUES = """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                             text, value_type, normalised_value, confidence, validation_status, created_by)
    SELECT d.id, 1, 10, 20, 30, 40, 'amount', 'Total ' || n, '#ffcc00', 'EUR 1.234,50', 'amount', '"1234.50"', 0.97,
           'valid', d.uploaded_by
    FROM (SELECT * FROM documents WHERE channel_id = %(channel_id)s ORDER BY id DESC OFFSET 1) d,
         generate_series(1, %(each)s) n
"""


def run(report: Report) -> None:
    """Measure each format in a database with few and with many other values."""
    table = report.table("values exported", _COLUMNS)
    for elsewhere in ELSEWHERE:
        with bench_stack() as stack:
            world = _fill(stack, elsewhere)
            for name, query in FORMATS.items():
                _row(table, stack, world, name, query, elsewhere)
    report.say(_EXPLANATION)


def _fill(stack: BenchStack, elsewhere: int) -> World:
    for service in WITH_TABLES:
        stack.begin(service)
    stack.wait_for_all()
    world = dataset.fill(stack, DOCUMENTS + 1, DOCUMENTS + 1)
    with stack.connect() as db:
        for channel_id, each in (
            (world.channel_id, VALUES_EACH),
            (world.busy_channel_id, elsewhere // DOCUMENTS),
        ):
            db.execute(_VALUES, {"channel_id": channel_id, "each": each})
        db.execute("DELETE FROM annotations WHERE document_id = %s", (world.document_id,))
        db.execute("VACUUM ANALYZE")
    return world


def _row(table: Table, stack: BenchStack, world: World, name: str, query: str, elsewhere: int) -> None:
    rounds = [(_bare(stack, world), *_export(stack, world, query)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / bare for bare, ours, _ in rounds)
    bare, ours = (statistics.median(one[side] for one in rounds) for side in (0, 1))
    size = rounds[0][2] / 1e6
    table.row(
        {
            "export": name,
            "elsewhere": f"{elsewhere:,}",
            "values/s": f"{ours:,.0f}",
            "bare/s": f"{bare:,.0f}",
            "ratio": f"{ratio:.0%}",
            "MB": f"{size:.1f}",
        },
        export=name, elsewhere=elsewhere, values_per_s=ours, bare_per_s=bare, ratio=ratio, megabytes=size,
    )  # fmt: skip


def _export(stack: BenchStack, world: World, query: str) -> tuple[float, int]:
    """Return values a second, and the size."""
    path = f"/data-processor/export/?channel_id={world.channel_id}&format={query}"
    address = f"http://127.0.0.1:{stack.layout.ports['data-processor']}{path}"
    begun = time.monotonic()
    answer = through_caddy("GET", address, headers={"Authorization": f"Bearer {world.token}"}, timeout=_TIMEOUT_S)
    seconds = time.monotonic() - begun
    if answer.status_code != 200:
        raise PlumblineError(f"an export answered {answer.status_code}: {answer.text[:300]}")
    return DOCUMENTS * VALUES_EACH / seconds, len(answer.content)


def _bare(stack: BenchStack, world: World) -> float:
    """Return rows a second."""
    found = stack.floor("bare_export", world.channel_id)
    if found["rows"] != DOCUMENTS * VALUES_EACH:
        raise PlumblineError(f"the floor of exports read {found['rows']} values, expected {DOCUMENTS * VALUES_EACH}")
    return float(found["rows"] / found["seconds"])
