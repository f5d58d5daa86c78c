"""Health, identity and database of the deployed stack.

Protects from a stack that says it is well and is not, or that answers for another one.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import requests

from plumbline import identity
from plumbline.stack import Stack
from plumbline.verification.checks import contract, findings
from plumbline.verification.checks.client import TIMEOUT_S
from plumbline.verification.checks.contract import HEALTH_PATHS
from plumbline.verification.throwaway import wait_for_value

READY_S = 10
"""On a busy machine, a health check that asks the database may be late once."""


def test_every_component_is_running(stack: Stack) -> None:
    """Protects from a stack in which a part is missing."""
    assert {one.name: one.state for one in stack.components if one.state != "running"} == {}


def health(stack: Stack, path: str) -> tuple[int, Any]:
    answer = requests.get(stack.base_url + path, timeout=TIMEOUT_S)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("service", "path"), HEALTH_PATHS.items())
def test_health_names_service_version_and_deployment(stack: Stack, service: str, path: str) -> None:
    _, body = wait_for_value(
        lambda: health(stack, path), lambda answer: answer[0] == 200, f"{path} to answer 200", READY_S
    )
    assert body["service"] == service
    assert body["version"] == contract.version()
    assert body["stack_id"] == stack.stack_id
    assert body["status"] == "ok"


@pytest.mark.parametrize("path", HEALTH_PATHS.values())
def test_every_service_has_a_liveness_path(stack: Stack, path: str) -> None:
    """Protects from a hung service that is never restarted."""
    assert requests.get(f"{stack.base_url}{path}/live", timeout=TIMEOUT_S).status_code == 200


def test_a_stack_of_another_identity_is_detected(stack: Stack) -> None:
    """Protects from checks that verify another stack than the one that was deployed."""
    assert identity.compare(stack.base_url, stack.stack_id, READY_S) == []
    differences = identity.compare(stack.base_url, "an-older-one")
    assert len(differences) == len(HEALTH_PATHS)
    for difference in differences:
        assert "an-older-one" in difference


def test_health_reports_the_revision_of_the_database(
    stack: Stack, database: psycopg.Connection[dict[str, object]]
) -> None:
    row = database.execute("SELECT version_num FROM alembic_version").fetchall()
    assert len(row) == 1
    body = requests.get(stack.base_url + HEALTH_PATHS["backend"], timeout=TIMEOUT_S).json()
    assert body["schema_revision"] == row[0]["version_num"]
    names = database.execute("SELECT name FROM django_migrations WHERE app LIKE '%%' ORDER BY id").fetchall()
    body = requests.get(stack.base_url + HEALTH_PATHS["data-processor"], timeout=TIMEOUT_S).json()
    assert body["schema_revision"]
    assert body["schema_revision"] in [row["name"] for row in names]


def test_database_role_schema_and_version_are_as_documented(database: psycopg.Connection[dict[str, object]]) -> None:
    """Protects from services that write into another database than the documented one."""
    row = database.execute(
        "SELECT current_database() AS database, current_user AS role, current_schema() AS schema,"
        " current_setting('server_version_num')::int / 10000 AS major"
    ).fetchone()
    assert row == {
        "database": contract.DATABASE_NAME,
        "role": contract.DATABASE_USER,
        "schema": contract.DATABASE_SCHEMA,
        "major": contract.POSTGRES_MAJOR,
    }


def test_postgres_refuses_a_wrong_password(stack: Stack) -> None:
    with findings.refused(
        "postgres: a client with a wrong password", by=psycopg.OperationalError, saying="password authentication",
        then="pg_hba.conf in the data directory says who may log in; ./deploy-local.sh reset makes a new one",
    ):  # fmt: skip
        psycopg.connect(**stack.postgres.parameters() | {"password": "not-the-password"}).close()


def test_an_unknown_path_gets_a_problem_document(stack: Stack) -> None:
    answer = requests.get(f"{stack.base_url}/nowhere", timeout=TIMEOUT_S)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
