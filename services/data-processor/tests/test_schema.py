"""The tables: refusals of the database, and agreement of models, migrations and constraints."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import data_processor.migrations
import psycopg
import pytest
from data_processor_testkit.service import Person, Service
from django.db.migrations import (
    AddField,
    AlterModelTable,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation

from plumbline.verification.schema import references

OWN = {
    "documents",
    "document_contents",
    "page_texts",
    "annotations",
    "templates",
    "template_labels",
    "template_anchors",
    "batch_jobs",
    "batch_items",
    "django_migrations",
}
QUEUE = {f"procrastinate_{name}" for name in ("jobs", "events", "workers", "periodic_defers")}
"""Made by the migrations of Procrastinate, as part of ours."""

REFERENCES = """
    SELECT conrelid::regclass::text, confrelid::regclass::text, a.attname, confdeltype::text
    FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1]
    WHERE contype = 'f' AND conrelid::regclass::text = ANY (%s) ORDER BY 1, 3
"""


def test_no_migration_is_missing(migrated: Service) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "makemigrations", "--check", "--dry-run"],
        env=migrated.environment | {"DJANGO_SETTINGS_MODULE": "data_processor.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Pods of the previous release run beside the new schema during a rollout.
REMOVES = re.compile(r"DROP COLUMN|DROP TABLE|RENAME|SET NOT NULL|ALTER COLUMN \w+ TYPE", re.IGNORECASE)
REMOVING = (RemoveField, DeleteModel, RenameField, RenameModel, AlterModelTable)
BEFORE_THE_FIRST_RELEASE = {"0004_files", "0006_page_texts"}


def removals(operations: Iterable[Operation]) -> Iterator[str]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from removals(operation.database_operations)
        elif isinstance(operation, REMOVING):
            yield operation.describe()
        elif isinstance(operation, RunSQL) and (found := REMOVES.search(str(operation.sql))):
            yield found.group()
        elif isinstance(operation, AddField) and not (operation.field.null or operation.field.has_db_default()):
            yield f"{operation.describe()} that the previous release does not fill"


def test_migrations_remove_nothing_that_the_previous_release_uses() -> None:
    removing = {}
    for module in pkgutil.iter_modules(data_processor.migrations.__path__):
        migration = importlib.import_module(f"data_processor.migrations.{module.name}").Migration
        if found := list(removals(migration.operations)):
            removing[module.name] = found
    assert removing.keys() == BEFORE_THE_FIRST_RELEASE, (
        f"{removing}: stop using it in one release, remove it in the next, and name the migration here then"
    )


def test_migrations_make_these_tables_and_no_others(migrated: Service) -> None:
    backends = {
        "users",
        "sessions",
        "invites",
        "channels",
        "memberships",
        "messages",
        "events",
        "idempotency_keys",
        "stack_events",
        "alembic_version",
    }
    tables = {name for (name,) in migrated.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    assert tables - backends == OWN | QUEUE


def test_references_are_foreign_keys_with_on_delete(migrated: Service) -> None:
    cascade, set_null = "c", "n"
    assert migrated.rows(REFERENCES, list(OWN)) == [
        ("annotations", "users", "created_by", set_null),
        ("annotations", "documents", "document_id", cascade),
        ("annotations", "users", "reviewed_by", set_null),
        ("annotations", "templates", "template_id", set_null),
        ("annotations", "template_labels", "template_label_id", set_null),
        ("batch_items", "batch_jobs", "batch_job_id", cascade),
        ("batch_items", "documents", "document_id", set_null),
        ("batch_jobs", "channels", "channel_id", cascade),
        ("batch_jobs", "users", "created_by", set_null),
        ("batch_jobs", "templates", "template_id", set_null),
        ("documents", "channels", "channel_id", cascade),
        ("documents", "document_contents", "sha256", "a"),
        ("documents", "users", "uploaded_by", set_null),
        ("page_texts", "documents", "document_id", cascade),
        ("template_anchors", "templates", "template_id", cascade),
        ("template_labels", "templates", "template_id", cascade),
        ("templates", "channels", "channel_id", cascade),
        ("templates", "users", "created_by", set_null),
        ("templates", "documents", "source_document_id", set_null),
    ]


def test_every_reference_to_deletable_rows_has_an_index(migrated: Service) -> None:
    # Of both services' tables, and of the queue's.
    with migrated.database() as connection:
        assert list(references.without_index(connection)) == []


def test_bytes_are_stored_uncompressed_for_partial_reads(migrated: Service) -> None:
    assert migrated.rows(
        "SELECT attname, attstorage::text FROM pg_attribute"
        " WHERE attrelid = 'document_contents'::regclass AND attname IN ('data', 'thumbnail') ORDER BY 1"
    ) == [("data", "e"), ("thumbnail", "e")]


ANNOTATION: dict[str, Any] = {
    "page": 1,
    "box_x": 0.0,
    "box_y": 0.0,
    "box_width": 1.0,
    "box_height": 1.0,
    "label_type": "a",
    "label_name": "b",
    "colour": "#000000",
}
LABEL = ANNOTATION | {"position": 1, "name": "n"}
del LABEL["label_name"]


def _insert(service: Service, table: str, values: dict[str, Any]) -> None:
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    with service.database() as connection:
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"page": 0}, "annotations_page_check"),
        ({"box_x": -1.0}, "annotations_box_check"),
        ({"box_y": float("nan")}, "annotations_box_check"),
        ({"box_width": 0.0}, "annotations_box_check"),
        ({"box_height": float("inf")}, "annotations_box_check"),
        ({"colour": "#ABCDEF"}, "annotations_colour_check"),
        ({"confidence": 1.1}, "annotations_confidence_check"),
        ({"confidence": float("nan")}, "annotations_confidence_check"),
        ({"validation_status": "maybe"}, "annotations_validation_status_check"),
    ],
)
def test_database_refuses_invalid_annotations(
    service: Service, person: Person, document: dict[str, Any], change: dict[str, Any], constraint: str
) -> None:
    whole = ANNOTATION | {"document_id": document["id"], "created_by": person.id}
    _insert(service, "annotations", whole)

    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        _insert(service, "annotations", whole | change)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"position": 0}, "template_labels_position_check"),
        ({"position": 1, "name": "m"}, "template_labels_position_key"),
        ({"position": 2, "name": "N"}, "template_labels_name_key"),
        ({"page": 0}, "template_labels_page_check"),
        ({"box_width": 1.1}, "template_labels_box_check"),
        ({"box_x": 1.0}, "template_labels_box_check"),
        ({"box_height": float("nan")}, "template_labels_box_check"),
        ({"colour": "blue"}, "template_labels_colour_check"),
    ],
)
def test_database_refuses_invalid_labels(
    service: Service, person: Person, channel: int, change: dict[str, Any], constraint: str
) -> None:
    template = person.post("templates/", json={"channel_id": channel, "name": "T"}).json()["id"]
    whole = LABEL | {"template_id": template}
    _insert(service, "template_labels", whole)

    with pytest.raises(psycopg.IntegrityError, match=constraint):
        _insert(service, "template_labels", whole | {"position": 2, "name": "m"} | change)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("media_type = 'text/html'", "documents_media_type_check"),
        ("size = 0", "documents_size_check"),
        ("filename = ''", "documents_filename_check"),
        ("page_widths = '{}', page_heights = '{}'", "documents_pages_check"),
        ("page_widths = '{1,2}'", "documents_pages_check"),
    ],
)
def test_database_refuses_invalid_documents(
    service: Service, document: dict[str, Any], change: str, constraint: str
) -> None:
    with service.database() as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        connection.execute(f"UPDATE documents SET {change} WHERE id = %s", (document["id"],))


def test_database_refuses_a_hash_that_is_none(service: Service) -> None:
    with service.database() as connection, pytest.raises(psycopg.errors.CheckViolation, match="sha256_check"):
        connection.execute("INSERT INTO document_contents (sha256, data) VALUES ('x', '')")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'x'", "batch_jobs_status_check"),
        ("total = 0", "batch_jobs_progress_check"),
        ("done = 2", "batch_jobs_progress_check"),
        ("failed = -1", "batch_jobs_progress_check"),
    ],
)
def test_database_refuses_invalid_jobs(
    service: Service, person: Person, channel: int, document: dict[str, Any], change: str, constraint: str
) -> None:
    template = person.post("templates/", json={"channel_id": channel, "name": "T"}).json()["id"]
    job = service.record_job(person, channel, template, [document["id"]])

    with service.database() as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        connection.execute(f"UPDATE batch_jobs SET {change} WHERE id = %s", (job,))


LISTS = {
    "documents": "SELECT id FROM documents WHERE channel_id = 1 AND id < 1000 ORDER BY id DESC LIMIT 51",
    "annotations": "SELECT id FROM annotations WHERE document_id = 1 AND id < 1000 ORDER BY id DESC LIMIT 51",
    "templates": "SELECT id FROM templates WHERE channel_id = 1 AND id < 1000 ORDER BY id DESC LIMIT 51",
    "batch_jobs": "SELECT id FROM batch_jobs WHERE channel_id = 1 AND id < 1000 ORDER BY id DESC LIMIT 51",
}


@pytest.mark.parametrize("table", LISTS)
def test_list_has_an_index(migrated: Service, table: str) -> None:
    with migrated.database() as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_sort = off")
        plan = "\n".join(line for (line,) in connection.execute("EXPLAIN " + LISTS[table]))

    assert f"Index Only Scan Backward using {table}_" in plan or f"Index Scan Backward using {table}_" in plan, plan
    assert "Sort" not in plan
