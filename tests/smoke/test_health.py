"""The stack is up, it is the one that was deployed, and its database is at head."""

from __future__ import annotations

import psycopg
import pytest
import requests
from servicekit import facts

from plumbline import identity
from plumbline.plan import HEALTH_PATHS
from plumbline.stack import Stack


def test_every_component_runs(stack: Stack) -> None:
    assert {one.name: one.state for one in stack.components if one.state != "running"} == {}


@pytest.mark.parametrize(("service", "path"), HEALTH_PATHS.items())
def test_health_says_who_and_what(stack: Stack, service: str, path: str) -> None:
    answer = requests.get(stack.base_url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["service"] == service
    assert body["version"] == facts.VERSION
    assert body["stack_id"] == stack.stack_id
    assert body["status"] == "ok"


@pytest.mark.parametrize("path", HEALTH_PATHS.values())
def test_liveness_is_a_question_of_its_own(stack: Stack, path: str) -> None:
    assert requests.get(f"{stack.base_url}{path}/live", timeout=10).status_code == 200


def test_a_stack_of_another_identity_is_noticed(stack: Stack) -> None:
    assert identity.compare(stack.base_url, stack.stack_id) == []
    differences = identity.compare(stack.base_url, "an-older-one")
    assert len(differences) == len(HEALTH_PATHS)
    assert all("an-older-one" in difference for difference in differences)


def test_health_reports_the_revision_the_database_is_at(
    stack: Stack, database: psycopg.Connection[dict[str, object]]
) -> None:
    row = database.execute("SELECT version_num FROM alembic_version").fetchall()
    assert len(row) == 1
    body = requests.get(stack.base_url + HEALTH_PATHS["backend"], timeout=10).json()
    assert body["schema_revision"] == row[0]["version_num"]
    names = database.execute("SELECT name FROM django_migrations WHERE app LIKE '%%' ORDER BY id").fetchall()
    body = requests.get(stack.base_url + HEALTH_PATHS["data-processor"], timeout=10).json()
    assert body["schema_revision"]
    assert any(str(row["name"]) in body["schema_revision"] for row in names), (names, body)


def test_the_database_is_the_one_of_the_contract(database: psycopg.Connection[dict[str, object]]) -> None:
    row = database.execute(
        "SELECT current_database() AS database, current_user AS role, current_schema() AS schema,"
        " current_setting('server_version_num')::int / 10000 AS major"
    ).fetchone()
    assert row == {
        "database": facts.DATABASE_NAME,
        "role": facts.DATABASE_USER,
        "schema": facts.DATABASE_SCHEMA,
        "major": facts.POSTGRES_MAJOR,
    }


def test_a_wrong_password_does_not_open_the_database(stack: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**stack.postgres.parameters() | {"password": "not-the-password"})


def test_an_unknown_address_is_a_problem_document(stack: Stack) -> None:
    answer = requests.get(f"{stack.base_url}/nowhere", timeout=10)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
