from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from backend import migrations
from backend.migrate import migrating
from backend.migrations.filters import include_name, include_object
from backend.passwords import verify_password
from backend.tables import metadata
from servicekit.migrations import migration_lock
from sqlalchemy import create_engine

from plumbline.verification.schema import references
from plumbline.verification.throwaway import PostgresServer

from .conftest import OPERATOR_PASSWORD, SERVICES, Backend


def test_the_newest_file_is_the_head_of_the_chain() -> None:
    assert migrations.head() == ScriptDirectory(str(migrations.FOLDER)).get_current_head()


def test_a_server_does_not_load_what_only_migrations_need() -> None:
    """It takes a third of a server's start, and memory for as long as it runs."""
    code = "import sys, backend.app; print(*{'alembic', 'mako', 'sqlalchemy'} & set(sys.modules))"
    path = os.pathsep.join(str(SERVICES / name) for name in ("servicekit", "backend"))
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.fixture
def fresh(empty_postgres: PostgresServer, tmp_path: Path) -> Backend:
    with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Backend(tmp_path, empty_postgres, "redis://127.0.0.1:1/0", migration_wait_s=30)


def rows(server: PostgresServer, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_two_concurrent_migrations_create_one_schema_one_operator_and_two_records(
    fresh: Backend, empty_postgres: PostgresServer
) -> None:
    runs = [
        subprocess.Popen(fresh.command("migrate"), env=fresh.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in runs:
        output, _ = run.communicate(timeout=60)
        assert run.returncode == 0
        assert migrations.head() in output
        assert OPERATOR_PASSWORD not in output
    assert rows(empty_postgres, "SELECT version_num FROM alembic_version") == [(migrations.head(),)]
    assert rows(empty_postgres, "SELECT username, is_operator FROM users") == [("operator", True)]
    recorded = rows(empty_postgres, "SELECT stack_id, component, event, detail FROM stack_events")
    assert recorded == [(fresh.stack_id, "backend", "migrated", migrations.head())] * 2


def test_a_second_migration_does_not_change_the_operator(fresh: Backend, empty_postgres: PostgresServer) -> None:
    fresh.migrate()
    before = rows(empty_postgres, "SELECT * FROM users")
    assert fresh.migrate().returncode == 0
    assert rows(empty_postgres, "SELECT * FROM users") == before


def test_a_changed_password_file_changes_the_password_of_operators_only(
    fresh: Backend, empty_postgres: PostgresServer
) -> None:
    fresh.migrate()
    Path(fresh.environment["PLUMBLINE_OPERATOR_PASSWORD_FILE"]).write_text("another password by now")
    assert fresh.migrate().returncode == 0
    ((hashed,),) = rows(empty_postgres, "SELECT password_hash FROM users")
    assert verify_password(hashed, "another password by now")
    assert rows(empty_postgres, "SELECT session_version FROM users") == [(1,)]
    assert not verify_password(hashed, OPERATOR_PASSWORD)
    rows(empty_postgres, "UPDATE users SET is_operator = false RETURNING id")
    Path(fresh.environment["PLUMBLINE_OPERATOR_PASSWORD_FILE"]).write_text("a third one, for user else")
    assert fresh.migrate().returncode == 0
    assert rows(empty_postgres, "SELECT password_hash FROM users") == [(hashed,)]


def test_migrate_waits_for_the_lock_and_names_its_holder(fresh: Backend, empty_postgres: PostgresServer) -> None:
    fresh.environment["PLUMBLINE_MIGRATION_WAIT_S"] = "0.2"
    holder = psycopg.conninfo.make_conninfo(empty_postgres.conninfo, application_name="the other chain")
    with migration_lock(holder, 5):
        refused = fresh.migrate()
    assert refused.returncode == 75
    assert "the other chain" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert rows(empty_postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_autogenerate_proposes_nothing_and_ignores_tables_of_others(
    fresh: Backend, empty_postgres: PostgresServer
) -> None:
    assert fresh.migrate().returncode == 0
    with psycopg.connect(empty_postgres.conninfo) as connection:
        connection.execute("""
            CREATE TABLE documents (id bigint PRIMARY KEY, channel_id bigint NOT NULL REFERENCES channels (id));
            CREATE INDEX documents_channel ON documents (channel_id);
            CREATE TABLE django_migrations (id bigint PRIMARY KEY, app text)
            """)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty_postgres.conninfo))
    options = {
        "include_name": include_name,
        "include_object": include_object,
        "compare_type": True,
        "compare_server_default": True,
    }
    with engine.connect() as connection:
        proposed = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        unfiltered = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert proposed == []
    assert {entry[1].name for entry in unfiltered if entry[0] == "remove_table"} == {"documents", "django_migrations"}


def test_every_foreign_key_has_an_index(sql: psycopg.Connection[dict[str, Any]]) -> None:
    assert list(references.without_index(sql)) == []


def test_downgrade_and_upgrade(fresh: Backend, empty_postgres: PostgresServer) -> None:
    assert fresh.migrate().returncode == 0
    with migrating(empty_postgres.conninfo) as (config, _):
        command.downgrade(config, "base")
    assert rows(empty_postgres, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("alembic_version",)]
    assert fresh.migrate().returncode == 0


def test_existing_names_are_normalised_without_collisions(fresh: Backend, empty_postgres: PostgresServer) -> None:
    with migrating(empty_postgres.conninfo) as (config, _):
        command.upgrade(config, "0003_deletions")
    with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (username, display_name, password_hash) VALUES ('ada', %s, '')", (" Ade\u0301  L ",)
        )
        for name, kind in (
            ("#cafe\u0301", "public"),
            ("#CAF\u00c9", "public"),
            ("#two  spaces", "public"),
            ("cafe\u0301", "private"),
            ("\u3000", "private"),
        ):
            connection.execute("INSERT INTO channels (name, type) VALUES (%s, %s)", (name, kind))
    assert fresh.migrate().returncode == 0
    assert rows(empty_postgres, "SELECT display_name FROM users WHERE username = 'ada'") == [("Ad\u00e9 L",)]
    assert [name for (name,) in rows(empty_postgres, "SELECT name FROM channels ORDER BY id")] == [
        # Keeps its old form: the second already has the normalised one.
        "#cafe\u0301",
        "#CAF\u00c9",
        "#two spaces",
        "caf\u00e9",
        "\u3000",
    ]


def test_a_failed_migration_is_rolled_back(fresh: Backend, empty_postgres: PostgresServer) -> None:
    with pytest.raises(RuntimeError), migrating(empty_postgres.conninfo) as (config, _):  # noqa: PT012
        command.upgrade(config, "head")
        raise RuntimeError
    assert rows(empty_postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("POSTGRES_PASSWORD_FILE", "/nowhere/password", "/nowhere/password"),
        ("PORT", "70000", "PLUMBLINE_PORT"),
        ("LOGIN_ATTEMPTS", "many", "PLUMBLINE_LOGIN_ATTEMPTS"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_bad_settings_are_reported_in_one_line(fresh: Backend, command: str, name: str, value: str, said: str) -> None:
    environment = fresh.environment | {f"PLUMBLINE_{name}": value}
    refused = subprocess.run(
        fresh.command(command), env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 78
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_an_unreachable_database_is_a_temporary_failure(fresh: Backend) -> None:
    fresh.environment["PLUMBLINE_POSTGRES_PORT"] = "1"
    refused = fresh.migrate()
    assert refused.returncode == 75
    assert "Traceback" not in refused.stderr


def test_a_database_of_a_newer_release_is_refused(fresh: Backend, empty_postgres: PostgresServer) -> None:
    fresh.migrate()
    with psycopg.connect(empty_postgres.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    done = run(fresh, "migrate")
    assert done.returncode == 1
    assert "9999_from_the_future" in done.stderr
    assert "newer release" in done.stderr
    assert "Traceback" not in done.stderr
    assert rows(empty_postgres, "SELECT version_num FROM alembic_version") == [("9999_from_the_future",)]


def test_the_head_revision_is_a_file_of_the_package() -> None:
    versions = {path.stem for path in (SERVICES / "backend/backend/migrations/versions").glob("[0-9]*.py")}
    assert migrations.head() in versions


def test_wait_ends_when_the_schema_is_at_head_and_prints_the_reason(fresh: Backend) -> None:
    fresh.environment["PLUMBLINE_SCHEMA_WAIT_S"] = "60"
    with subprocess.Popen(fresh.command("wait"), env=fresh.environment, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert fresh.migrate().returncode == 0
        assert waiting.wait(30) == 0
    assert said == (
        f"backend: waiting for the backend's schema: it is at nothing, this release needs {migrations.head()}\n"
    )


def test_wait_times_out(fresh: Backend) -> None:
    fresh.environment["PLUMBLINE_SCHEMA_WAIT_S"] = "0.1"
    assert run(fresh, "wait", "database").returncode == 0
    timed_out = run(fresh, "wait")
    assert timed_out.returncode == 75
    assert timed_out.stderr.splitlines()[-1].startswith(
        "backend: the backend's schema was not ready after 0.1 s: it is at"
    )
    fresh.environment["PLUMBLINE_POSTGRES_PORT"] = "1"
    no_database = run(fresh, "wait", "database")
    assert no_database.returncode == 75
    assert "the database was not ready after 0.1 s: the database cannot be used yet" in no_database.stderr
    assert "Traceback" not in no_database.stderr


def run(backend: Backend, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*backend.command(arguments[0]), *arguments[1:]]
    return subprocess.run(command, env=backend.environment, capture_output=True, text=True, timeout=60, check=False)


# Pods of the previous release run beside the new schema during a rollout.
REMOVES = re.compile(r"(?:drop|alter)_column|drop_table|rename_table|DROP COLUMN|DROP TABLE|RENAME|SET NOT NULL")


def removals(upgrade: Callable[[], None]) -> list[str]:
    """Return what a migration takes from the previous release, or wants of it."""
    source = inspect.getsource(upgrade)
    found = REMOVES.findall(source)
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "op.add_column":
            column = ast.unparse(call.args[1])
            if "nullable=False" in column and "server_default" not in column:
                found.append(f"{column}, which the previous release does not fill")
    return found


def test_migrations_remove_nothing_that_the_previous_release_uses() -> None:
    revisions = list(ScriptDirectory(str(migrations.FOLDER)).walk_revisions())
    removing = {one.revision: removals(one.module.upgrade) for one in revisions[:-1]}
    assert not any(removing.values()), (
        f"{removing}: stop using it in one release, remove it in the next, and make an exception here then"
    )


def test_what_a_migration_removes_or_demands_is_found() -> None:
    demanded = "sa.Column('b', sa.Text, nullable=False), which the previous release does not fill"
    assert removals(_removes) == ["drop_column", demanded]


def _removes() -> None:
    op.drop_column("users", "a")
    op.add_column("users", sa.Column("b", sa.Text, nullable=False))
    op.add_column("users", sa.Column("c", sa.Text, nullable=False, server_default=""))
    op.add_column("users", sa.Column("d", sa.Text))


def test_no_event_id_comes_back_when_its_table_is_dropped_and_made_again(
    fresh: Backend, empty_postgres: PostgresServer
) -> None:
    """A client resumes after the last id that it has seen, and would miss what got lower ones."""
    fresh.migrate()
    told = "INSERT INTO events (frame) SELECT '{}' FROM generate_series(1, 5) RETURNING id"
    before = max(rows(empty_postgres, told))
    for arguments in (("--back-to", "0007_sessions"), ()):
        assert fresh.run("migrate", None, *arguments).returncode == 0
    assert min(rows(empty_postgres, told)) > before
