"""Every wrong order in the stack's records is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from plumbline.verification.checks import ordering

RIGHT = [
    ("backend", "migrated"),
    ("data-processor", "migrated"),
    ("backend", "ready"),
    ("data-processor", "ready"),
    ("worker", "ready"),
]


@pytest.fixture
def violations(postgres_server):
    """Return a function that records events, one second apart, and returns the violations."""
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with psycopg.connect(postgres_server.conninfo, row_factory=dict_row) as conn:
        conn.execute(
            "CREATE TEMP TABLE stack_events (id bigint GENERATED ALWAYS AS IDENTITY, stack_id text, component text, "
            "event text, detail text, at timestamptz)"
        )

        def of(events, stack_id="mine", recorded_for="mine"):
            for number, (component, event) in enumerate(events):
                conn.execute(
                    "INSERT INTO stack_events (stack_id, component, event, at) VALUES (%s, %s, %s, %s)",
                    (recorded_for, component, event, start + timedelta(seconds=number)),
                )
            return ordering.violations(conn, stack_id)

        yield of
        conn.rollback()


def test_the_right_order_has_no_violations(violations):
    assert violations(RIGHT) == []


def test_a_later_restart_is_no_violation(violations):
    assert violations([*RIGHT, ("backend", "ready"), ("backend", "migrated"), ("backend", "ready")]) == []


def test_services_may_get_ready_in_any_order(violations):
    assert violations([*RIGHT[:2], RIGHT[4], RIGHT[3], RIGHT[2]]) == []


def test_migrations_in_the_wrong_order(violations):
    (wrong,) = violations([RIGHT[1], RIGHT[0], *RIGHT[2:]])
    assert wrong == "data-processor was migrated before backend"


@pytest.mark.parametrize("service", ["backend", "data-processor", "worker"])
@pytest.mark.parametrize("place", [0, 1])
def test_ready_before_both_schemas_were_at_head(violations, service, place):
    events = [event for event in RIGHT if event != (service, "ready")]
    events.insert(place, (service, "ready"))
    (wrong,) = violations(events)
    assert wrong.startswith(f"{service} was ready at ")
    assert "before both schemas were at head" in wrong


def test_an_early_start_is_a_violation_despite_a_later_right_one(violations):
    assert violations([RIGHT[0], ("backend", "ready"), *RIGHT[1:]])


@pytest.mark.parametrize("absent", RIGHT, ids=" ".join)
def test_a_missing_record_is_a_violation(violations, absent):
    (wrong,) = violations([event for event in RIGHT if event != absent])
    assert wrong.startswith("no record that " + absent[0])


def test_records_of_another_deployment_are_ignored(violations):
    assert len(violations(RIGHT, recorded_for="another")) == 5


def test_a_record_under_another_name_is_a_violation(violations):
    found = violations([*RIGHT, ("log-sink", "ready"), ("worker", "migrated")])
    assert [line.partition(" in deployment")[0] for line in found] == [
        "log-sink: there is a record of it with the event 'ready'",
        "worker: there is a record of it with the event 'migrated'",
    ]


def test_other_events_are_ignored(violations):
    assert violations([("log-sink", "ready-ish"), *RIGHT, ("backend", "stopped")]) == []
