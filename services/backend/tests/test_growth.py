"""No statement reads more because tables are large, small or in between, and none because its plan is old."""

from __future__ import annotations

import asyncio
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
    "channels.MEMBERS_AMONG": "for many sockets, reads the members of the channels or the channels of the users",
    "repeats.PRUNE": "reads what autovacuum has not summed up in the index yet, every ten minutes",
    "events.PRUNE": "looks at the 10,000 oldest events, every ten minutes",
}
"""Statements that may read more of a larger table, with the reason."""
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
_SPECIAL: dict[str, dict[str, Any]] = {
    "invites.CREATE": {"code_hash": b"new"},
    "sessions.OPEN": {"session_id": "2f8fad5b-d9cb-469f-a165-70867728950e"},
    "users.CREATE": {"username": "new"},
    "invites.REGISTER": {"username": "new"},
}


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
    return found | _SPECIAL.get(name, {})


@pytest.fixture(scope="module")
def costs(backend: Backend, postgres_server: PostgresServer) -> dict[tuple[str, str, str], dict[int, Cost]]:
    """The cost of every statement at every size, for three users."""
    found: dict[tuple[str, str, str], dict[int, Cost]] = {}
    growth.clean(postgres_server.conninfo)
    with psycopg.connect(postgres_server.conninfo, options=PLANS) as database:
        growing.plant(database)
        ids, before = growing.ids(database), 0
        for size in growth.SIZES:
            growing.add(database, before, size)
            growing.count(database)
            before = size
            for name, statement in ALL.items():
                for user, channel in (("quiet", "#quiet-1"), ("quiet", "#busy"), ("everywhere", "#busy")):
                    given = values(name, ids, user, channel)
                    found.setdefault((name, user, channel), {})[size] = growth.cost(database, statement, given)
        database.rollback()
    # So that other tests have small tables.
    growth.clean(postgres_server.conninfo)
    return found


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


@pytest.mark.parametrize(
    ("options", "scanned"),
    [(PLANS, set()), ("-c plan_cache_mode=force_generic_plan", {"parents"})],
    ids=["of the service", "without the planner's"],
)
def test_the_plan_of_a_foreign_key_stays_good_while_a_tiny_table_grows(
    backend: Backend, postgres_server: PostgresServer, options: str, scanned: set[str]
) -> None:
    # The connection keeps it until Postgres counts the new rows. Without the planner's options it reads all of them.
    with psycopg.connect(postgres_server.conninfo, options=options) as database:
        database.execute("""
            CREATE TABLE parents (id int PRIMARY KEY);
            CREATE TABLE children (parent_id int REFERENCES parents);
            INSERT INTO parents SELECT generate_series(1, 10);
            ANALYZE parents;
            INSERT INTO children VALUES (1);
            INSERT INTO parents SELECT generate_series(11, 5000)
            """)
        found = growth.cost(database, "INSERT INTO children VALUES (%(parent_id)s)", {"parent_id": 5_000})
        database.rollback()
    assert found.scanned == scanned
    assert found.rows == (5_000 if scanned else 1)


def test_every_connection_of_the_service_has_the_options(postgres_server: PostgresServer) -> None:
    async def shown() -> dict[str, Any] | None:
        database = Database(postgres_server.conninfo, 1)
        await database.open()
        try:
            return await database.fetch_one(growth.OPTIONS, {})
        finally:
            await database.close()

    assert asyncio.run(shown()) == growth.HAS_OPTIONS | {"plan_cache_mode": "force_generic_plan"}
