"""What a statement reads while tables grow: blocks and rows, never time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

SIZES = (10, 200, 1_000, int(os.environ.get("PLUMBLINE_GROWTH_ROWS", "10000")))
"""Rows of each table. Plans change most where a table begins to fill more than a page."""
_USUAL = 1_000
_MORE = 1.5
"""How much more any other size may cost: indexes have one level more or less."""
_SMALL = {"blocks": 160, "rows": 300}
"""What may be read more without a reason: a list of 51 rows that looks up what belongs to each, in another way."""
_PARAMETER = re.compile(r"%\((\w+)\)[sb]")
OPTIONS = """
    SELECT current_setting('enable_seqscan') AS enable_seqscan, current_setting('random_page_cost') AS random_page_cost,
           current_setting('jit') AS jit, current_setting('plan_cache_mode') AS plan_cache_mode
"""
HAS_OPTIONS = {"enable_seqscan": "off", "random_page_cost": "1.1", "jit": "off", "plan_cache_mode": "auto"}
"""What `OPTIONS` answers on a connection of a service."""
_READ = """
    SELECT relname, seq_scan, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one execution read.

    `blocks` are the 8 KB blocks of the statement itself. `rows` are those of the tables, also of what foreign keys look
    up and delete. `scanned` are the tables that were read sequentially.
    """

    blocks: int
    rows: int
    scanned: frozenset[str]
    plan: dict[str, Any]


def clean(conninfo: str) -> None:
    """Remove what transactions that were rolled back left in tables and indexes, which later statements would read."""
    with psycopg.connect(conninfo, autocommit=True) as database:
        database.execute("VACUUM (ANALYZE, SKIP_DATABASE_STATS)")


def names(statement: str) -> list[str]:
    """Return the names of a statement's parameters, in their order."""
    return list(dict.fromkeys(_PARAMETER.findall(statement)))


def cost(database: psycopg.Connection[Any], statement: str, values: Mapping[str, Any]) -> Cost:
    """Prepare and execute a statement, and take back what it changed. `values` are parameters by name."""
    wanted = names(statement)
    numbered = _PARAMETER.sub(lambda found: f"${wanted.index(found[1]) + 1}", statement).replace("%%", "%")
    arguments = sql.SQL(", ").join(sql.Literal(values[name]) for name in wanted)
    call = sql.SQL("EXECUTE grown ({})" if wanted else "EXECUTE grown").format(arguments)
    with database.cursor(row_factory=psycopg.rows.tuple_row) as cursor, database.transaction(force_rollback=True):
        types = f"({', '.join(_type(values[name]) for name in wanted)})" if wanted else ""
        cursor.execute(f"PREPARE grown{types} AS {numbered}".encode())
        # Once before, so that the catalog is cached.
        with database.transaction(force_rollback=True):
            cursor.execute(call)
        before = _read(cursor)
        cursor.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {}").format(call))
        ((found,),) = cursor.fetchall()
        # Foreign keys that are checked at the end of the transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = _read(cursor)
        cursor.execute("DEALLOCATE grown")
    plan = found[0]["Plan"]
    scans = {table: after[table][0] - before.get(table, (0, 0))[0] for table in after}
    rows = sum(after[table][1] - before.get(table, (0, 0))[1] for table in after)
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(blocks, rows, frozenset(table for table, count in scans.items() if count), plan)


def _type(value: object) -> str:
    """Return the type as which psycopg sends a value; Postgres finds out that of most others."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "bigint" if value >= 2**31 else "integer"
    return "unknown"


def _read(cursor: psycopg.Cursor[Any]) -> dict[str, tuple[int, int]]:
    return {table: (scans, rows) for table, scans, rows in cursor.execute(_READ)}


def faults(costs: Mapping[int, Cost], without_index: frozenset[str] = frozenset()) -> Iterable[str]:
    """Name the sizes at which a statement reads a table sequentially, or much more than at the usual size."""
    usual = costs[_USUAL]
    for size, found in costs.items():
        if scanned := found.scanned - without_index:
            yield f"{size:,} rows: reads {', '.join(sorted(scanned))} sequentially"
        for what, small in _SMALL.items():
            now, due = getattr(found, what), getattr(usual, what)
            if now > _MORE * due + small:
                yield f"{size:,} rows: {now:,} {what}, but {due:,} at {_USUAL:,}"
