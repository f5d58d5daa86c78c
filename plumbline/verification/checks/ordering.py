"""Checks the order of a deployment's migrations and starts in the stack's own records."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg

from plumbline.components import MIGRATING, TABLE

_EVENTS = """
    SELECT component, event, detail, at FROM stack_events WHERE stack_id = %s ORDER BY at, id
"""


def violations(database: psycopg.Connection[dict[str, Any]], stack_id: str) -> list[str]:
    """Return what is wrong with the order of deployment `stack_id`. All times are from the database's clock."""
    events = database.execute(_EVENTS, (stack_id,)).fetchall()
    first_migrated: dict[str, Any] = {}
    first_ready: dict[str, Any] = {}
    for event in events:
        into = first_migrated if event["event"] == "migrated" else first_ready if event["event"] == "ready" else {}
        into.setdefault(event["component"], event["at"])
    wrong = [
        f"no record that {name} was migrated in deployment {stack_id}"
        for name in MIGRATING
        if name not in first_migrated
    ]
    wrong += [
        f"no record that {one.name} became ready in deployment {stack_id}"
        for one in TABLE
        if one.needs_schema and one.name not in first_ready
    ]
    due = {(name, "migrated") for name in MIGRATING} | {(one.name, "ready") for one in TABLE if one.needs_schema}
    wrong += [
        f"{component}: there is a record of it with the event {event!r} in deployment {stack_id}; expected only "
        f"those of {', '.join(sorted({name for name, _ in due}))}"
        for component, event in sorted(
            {(one["component"], one["event"]) for one in events if one["event"] in ("migrated", "ready")} - due
        )
    ]
    if wrong:
        return wrong
    wrong += [
        f"{later} was migrated before {earlier}"
        for earlier, later in pairwise(MIGRATING)
        if first_migrated[earlier] > first_migrated[later]
    ]
    at_head = max(first_migrated.values())
    wrong += [
        f"{name} was ready at {ready}, before both schemas were at head at {at_head}"
        for name, ready in first_ready.items()
        if ready < at_head
    ]
    return wrong
