"""No statement reads more because tables are large, small or in between, and none because its plan is old."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from backend.database import PLANS, Database
from servicekit.accounts import SESSION_QUERY

from plumbline.verification import growth
from plumbline.verification.growth import Cost
from plumbline.verification.throwaway import PostgresServer

from . import growing
from .conftest import Backend
from .test_statements import STATEMENTS

ALL = {**STATEMENTS, "SESSION_QUERY": SESSION_QUERY}
READS_ALL = {
    "administration.LIST": "an operator's command that lists every user",
}
"""Statements whose cost is that of the whole table, with the reason."""
GROWS_WITH_MEMBERSHIPS = {
    "users.DELETE": "names the channels that the user leaves",
}
PAGE = 51
EVENT = '[{"channel_id": 1, "user_ids": [1], "frame": {}}]'
_VALUES: dict[str, Any] = {
    "before": 2**63 - 1, "after": None, "limit": PAGE, "prefix": "crowd-", "name": "#new", "type": "public",
    "is_marked": True, "content": "x", "image_url": None, "direct_key": "direct", "username": "friend",
    "display_name": "x", "password_hash": "x", "new_hash": "y", "is_operator": True, "session_id": growing.SESSION,
    "session_ids": [growing.SESSION], "ttl_s": 60, "code_hash": b"own", "key": "new", "request": b"", "events": EVENT,
    "stack_id": "x", "component": "x", "event": "x", "detail": None, "until": 2**63 - 1,
}  # fmt: skip


def values(name: str, ids: dict[str, int], user: str, channel: str) -> dict[str, Any]:
    me, there = ids[user], ids[channel]
    found = _VALUES | {
        "user_id": me, "adder_id": ids["quiet"], "member_id": me, "other_id": ids["friend"], "id": me,
        "channel_id": there, "channel_ids": [there], "user_ids": [me, ids["friend"]],
    }  # fmt: skip
    if name == "channels.ADD_MEMBER":
        found["user_id"] = ids["stranger"]
    if name.startswith("events."):
        found["after"] = 0
    return found


@pytest.fixture(scope="module")
def costs(backend: Backend, postgres_server: PostgresServer) -> Iterator[dict[tuple[str, str, str], dict[int, Cost]]]:
    """The cost of every statement at every size, for three users."""
    found: dict[tuple[str, str, str], dict[int, Cost]] = {}
    with psycopg.connect(postgres_server.conninfo, options=PLANS) as database:
        growing.plant(database)
        ids, before = growing.ids(database), 0
        for size in growth.SIZES:
            growing.add(database, before, size)
            growing.count(database)
            before = size
            for name, statement in ALL.items():
                for user, channel in (("quiet", "#quiet-1"), ("quiet", "#busy"), ("everywhere", "#busy")):
                    case = found.setdefault((name, user, channel), {})
                    case[size] = growth.cost(database, statement, values(name, ids, user, channel))
        yield found
        # Rolled back, so that other tests keep small tables.
        database.rollback()
    with psycopg.connect(postgres_server.conninfo, autocommit=True) as connection:
        connection.execute("ANALYZE")


@pytest.mark.parametrize("name", sorted(ALL.keys() - READS_ALL.keys()))
def test_a_statement_costs_the_same_at_every_size(
    costs: dict[tuple[str, str, str], dict[int, Cost]], name: str
) -> None:
    found = [
        f"{user} in {channel}: {fault}"
        for (one, user, channel), sizes in costs.items()
        if one == name and not (user == "everywhere" and name in GROWS_WITH_MEMBERSHIPS)
        for fault in growth.faults(sizes)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("options", "scans"), [(PLANS, set()), ("", {"users", "channels"})])
def test_plans_made_while_tables_were_tiny_stay_good(
    backend: Backend, postgres_server: PostgresServer, options: str, scans: set[str]
) -> None:
    # Those of foreign keys: a new channel with a member and a message looks for its user and its channel. Without the
    # options of the service, their plans read the tables as long as Postgres has not counted the new rows.
    with psycopg.connect(postgres_server.conninfo, options=options) as database:
        growing.plant(database)
        growing.count(database)
        given = values("channels.CREATE", growing.ids(database), "quiet", "#busy")
        first = growth.cost(database, ALL["channels.CREATE.plain"], given)
        growing.add(database, 0, 2_000)
        later = growth.cost(database, ALL["channels.CREATE.plain"], given)
        database.rollback()
    assert scans <= later.scanned
    assert scans or not later.scanned
    assert (later.rows > first.rows + 2_000) == bool(scans), (first, later)


def test_every_connection_of_the_service_has_the_options(postgres_server: PostgresServer) -> None:
    async def shown() -> dict[str, Any] | None:
        database = Database(postgres_server.conninfo, 1)
        await database.open()
        try:
            return await database.fetch_one(growth.OPTIONS, {})
        finally:
            await database.close()

    assert asyncio.run(shown()) == growth.HAS_OPTIONS | {"plan_cache_mode": "force_generic_plan"}
