"""No service became ready before both migrations were at head, by the stack's own records.

Protects from services that work on a half-migrated database.
"""

from __future__ import annotations

from typing import Any

import psycopg

from plumbline.stack import Stack
from plumbline.verification.checks import findings, ordering


def test_services_became_ready_after_both_migrations(
    stack: Stack, database: psycopg.Connection[dict[str, Any]]
) -> None:
    findings.require_none(
        ordering.violations(database, stack.stack_id),
        about="services and migrations came in another order than the plan's",
        then="./deploy-local.sh plan shows the order; ./deploy-local.sh deploys again",
    )


def test_a_wrong_order_is_detected(database: psycopg.Connection[dict[str, Any]]) -> None:
    events = [
        ("data-processor", "migrated"),
        ("backend", "ready"),
        ("backend", "migrated"),
        ("data-processor", "ready"),
        ("worker", "ready"),
    ]
    with database.transaction(force_rollback=True):
        # Rolled back, so not visible to others.
        database.execute("SET TRANSACTION READ WRITE")
        for minute, (component, event) in enumerate(events):
            database.execute(
                "INSERT INTO stack_events (stack_id, component, event, detail, at)"
                " VALUES ('wrong-order', %s, %s, 'x', timestamptz '2026-01-01' + make_interval(mins => %s))",
                (component, event, minute),
            )
        found = ordering.violations(database, "wrong-order")
    for said in ("data-processor was migrated before backend", "backend was ready at"):
        assert said in "\n".join(found)


def test_missing_records_are_a_violation(database: psycopg.Connection[dict[str, Any]]) -> None:
    expected = ("backend was migrated", "data-processor was migrated", "backend became", "data-processor became",
                "worker became")  # fmt: skip
    found = ordering.violations(database, "never-deployed")
    assert [line for line, said in zip(found, expected, strict=True) if said not in line] == []
