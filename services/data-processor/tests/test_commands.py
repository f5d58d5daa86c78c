"""The commands: exit codes and messages, the order of migrations, the lock, stopping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from data_processor_testkit.service import HEAD, Service
from servicekit.facts import MIGRATION_LOCK_KEY

from plumbline.net import free_port
from plumbline.verification.throwaway import PostgresServer, throwaway_postgres, wait_until

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def empty_postgres() -> Iterator[PostgresServer]:
    """A Postgres for this module, without tables."""
    with throwaway_postgres() as server:
        yield server


def test_migrate_waits_for_the_backends_tables(empty_postgres: PostgresServer, own_folder: Path) -> None:
    service = Service(empty_postgres, NO_REDIS, own_folder)
    done = service.run("migrate")

    assert done.returncode == 75
    assert "run python -m backend migrate first" in done.stderr
    assert service.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_service_is_not_ready_before_its_schema(empty_postgres: PostgresServer, own_folder: Path) -> None:
    service = Service(empty_postgres, NO_REDIS, own_folder, WORKERS=1)
    service.start()
    try:
        response = service.health()
        assert response.status_code == 503
        assert f"the schema is empty, {HEAD} is wanted" in response.json()["reason"]

        service.migrate()
        service.wait_ready()
        assert service.health().json() == {
            "service": "data-processor",
            "version": response.json()["version"],
            "stack_id": "test-stack",
            "status": "ok",
            "schema_revision": HEAD,
        }
        events = "SELECT event, detail FROM stack_events WHERE component = 'data-processor' ORDER BY id"
        wait_until(lambda: len(service.rows(events)) == 2, "the start is recorded")
        # A running service may see the schema before its migration is recorded.
        assert sorted(service.rows(events)) == [("migrated", HEAD), ("ready", HEAD)]
        with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
            for found, status in (("9999_of_the_next_release", 200), ("0000_before", 503), (HEAD, 200)):
                newest = "(SELECT id FROM django_migrations WHERE app = 'data_processor' ORDER BY id DESC LIMIT 1)"
                connection.execute(f"UPDATE django_migrations SET name = %s WHERE id = {newest}", (found,))
                response = service.health()
                assert (response.status_code, response.json()["schema_revision"]) == (status, found)
    finally:
        assert service.stop() == 0


def test_migrate_twice_changes_nothing(migrated: Service) -> None:
    tables = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    before = migrated.rows(tables)

    assert migrated.run("migrate").returncode == 0
    assert migrated.rows(tables) == before


def test_migrate_names_the_holder_of_the_lock(migrated: Service, own_folder: Path) -> None:
    waiting = Service(migrated.postgres, NO_REDIS, own_folder, MIGRATION_WAIT_S=0)
    with psycopg.connect(migrated.postgres.conninfo, application_name="another program") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK_KEY,))
        done = waiting.run("migrate")

    assert done.returncode == 75
    assert "another program" in done.stderr


def test_migrate_refuses_the_database_of_a_newer_release(empty_postgres: PostgresServer, own_folder: Path) -> None:
    service = Service(empty_postgres, NO_REDIS, own_folder)
    service.migrate()
    events = "SELECT count(*) FROM stack_events"
    before = service.rows(events)
    with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('data_processor', '9999_from_the_future', now()), ('another_app', '0007_of_its_own', now())"
        )
        try:
            done = service.run("migrate")
        finally:
            connection.execute(
                "DELETE FROM django_migrations WHERE name IN ('9999_from_the_future', '0007_of_its_own')"
            )

    assert done.returncode == 1
    assert "the database has 9999_from_the_future, which this release does not know" in done.stderr
    assert "Traceback" not in done.stderr
    assert service.rows(events) == before


@pytest.mark.parametrize("command", ["migrate", "serve"])
@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PORT", "0", "PLUMBLINE_PORT"),
        ("UPLOAD_MAX_BYTES", "many", "PLUMBLINE_UPLOAD_MAX_BYTES"),
        ("TOKEN_SECRET_FILE", "/nowhere/secret", "/nowhere/secret does not exist"),
        ("POSTGRES_PASSWORD_FILE", "/nowhere/password", "/nowhere/password does not exist"),
    ],
)
def test_bad_setting_is_one_sentence(
    migrated: Service, own_folder: Path, command: str, setting: str, value: str, said: str
) -> None:
    done = Service(migrated.postgres, NO_REDIS, own_folder, **{setting: value}).run(command)

    assert done.returncode == 78
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_missing_setting_names_its_variable(migrated: Service, own_folder: Path) -> None:
    service = Service(migrated.postgres, NO_REDIS, own_folder)
    del service.environment["PLUMBLINE_TOKEN_SECRET_FILE"]
    done = service.run("serve")

    assert (done.returncode, "PLUMBLINE_TOKEN_SECRET_FILE" in done.stderr) == (78, True)


def test_migrate_without_postgres_may_be_retried(migrated: Service, own_folder: Path) -> None:
    done = Service(migrated.postgres, NO_REDIS, own_folder, POSTGRES_PORT=free_port()).run("migrate")

    assert done.returncode == 75
    assert "the database does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_waiting_for_the_schema(empty_postgres: PostgresServer, own_folder: Path) -> None:
    service = Service(empty_postgres, NO_REDIS, own_folder, SCHEMA_WAIT_S=0.1)
    service.migrate()
    assert service.run("wait").returncode == 0

    with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE django_migrations SET name = '0000_before' WHERE name = %s", (HEAD,))
    try:
        gave_up = service.run("wait")
    finally:
        with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
            connection.execute("UPDATE django_migrations SET name = %s WHERE name = '0000_before'", (HEAD,))
    assert gave_up.returncode == 75
    assert "the data-processor's schema was not ready after 0.1 s: it is at 0000_before, this release needs" in (
        gave_up.stderr
    )
    assert "Traceback" not in gave_up.stderr
