"""Exports of a document and of a channel, compared with the rows.

Protects from exported values that differ from those in the database.
"""

from __future__ import annotations

import csv
import io
import secrets
import sqlite3
from contextlib import closing
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS, EXPORT = "/data-processor/documents/", "/data-processor/export/"
BOX = {"x": 1, "y": 1, "width": 2, "height": 2}
END = ";\nCOMMIT;"
TEXTS = {"valid": 'it\'s \\ "this"\n😀 %s', "corrected": "=1+1", "pending": "-5", "invalid": "x"}


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


@pytest.fixture(scope="module")
def document(alice: User, channel: int) -> int:
    """A document with a value of each status."""
    number = int(alice.upload(channel, f"{PREFIX}1.png", samples.png()).expect(201)["id"])
    for status, text in TEXTS.items():
        mark = {"bounding_box": BOX, "label_type": "field", "label_name": status, "text": text}
        alice.post(f"{DOCUMENTS}{number}/annotations/", mark | {"validation_status": status}).expect(201)
    return number


def export(alice: User, document: int, **options: Any) -> Answer:
    answer = alice.post(f"{DOCUMENTS}{document}/export/", options)
    answer.expect(200)
    return answer


def test_the_values_of_a_document_as_json(alice: User, channel: int, document: int, database: Database) -> None:
    body = export(alice, document, format="json").expect(200)
    assert body["count"] == {"documents": 1, "values": 4}
    (found,) = body["documents"]
    row = rows.one(database, "documents", id=document)
    assert [found[name] for name in ("document_id", "filename", "sha256", "channel_id")] == [
        document, row["filename"], row["sha256"], channel,
    ]  # fmt: skip
    stored = {row["id"]: row for row in rows.many(database, "annotations", document_id=document)}
    assert {value["value_id"] for value in found["values"]} == set(stored)
    for value in found["values"]:
        row = stored[value["value_id"]]
        assert (value["label"], value["text"], value["status"]) == (
            row["label_name"], row["text"], row["validation_status"],
        )  # fmt: skip
        assert (value["x"], value["page"]) == (row["box_x"], row["page"])


def test_approved_values_alone(alice: User, document: int) -> None:
    body = export(alice, document, format="json", validated_only=True).expect(200)
    assert sorted(value["status"] for value in body["documents"][0]["values"]) == ["corrected", "valid"]


def test_a_spreadsheet_finds_no_formula(alice: User, document: int) -> None:
    text = export(alice, document, format="csv").body.decode()
    found = {row["status"]: row["text"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert found == TEXTS | {"corrected": "'=1+1", "pending": "'-5"}


def test_sql_can_be_loaded(alice: User, document: int, database: Database) -> None:
    """Protects from an SQL export that no database takes, or whose texts are carried out as statements."""
    query = "SELECT status, text FROM document_values"
    with closing(sqlite3.connect(":memory:")) as sqlite:
        answer = export(alice, document, format="sql", dialect="sqlite", create_table=True)
        sqlite.executescript(answer.body.decode())
        assert dict(sqlite.execute(query).fetchall()) == TEXTS
    answer = export(alice, document, format="sql", dialect="postgresql", create_table=True)
    # The connection may only read, so the rows are not inserted: the same text is selected.
    columns, _, values = answer.body.decode().partition("INSERT INTO document_values (")[2].partition(") VALUES\n")
    source = f"(VALUES {values.partition(END)[0]}) AS document_values ({columns})"
    found = database.execute(query.replace("document_values", source).encode()).fetchall()
    assert {row["status"]: row["text"] for row in found} == TEXTS


def test_the_values_of_a_channel(alice: User, channel: int, document: int) -> None:
    body = alice.get(EXPORT, channel_id=channel, format="json").expect(200)
    assert [one["document_id"] for one in body["documents"]] == [document]
    nothing = alice.get(EXPORT, channel_id=channel, format="json", before=document).expect(200)
    assert nothing == {"documents": [], "count": {"documents": 0, "values": 0}}


def test_the_values_of_a_job(alice: User, channel: int, document: int) -> None:
    other = int(alice.upload(channel, f"{PREFIX}2.png", samples.png()).expect(201)["id"])
    template = alice.post(
        "/data-processor/templates/", {"channel_id": channel, "name": f"{PREFIX}export-{secrets.token_hex(4)}"}
    ).expect(201)
    job = {"channel_id": channel, "template_id": template["id"], "document_ids": [other, document]}
    number = alice.post("/data-processor/batch/", job).expect(202)["id"]
    body = alice.get(f"/data-processor/batch/{number}/export/", format="json").expect(200)
    assert [one["document_id"] for one in body["documents"]] == [other, document]


def test_what_is_refused(alice: User, bob: User, channel: int, document: int) -> None:
    """Protects from exports of documents that are not the user's, and formats that do not exist."""
    bob.post(f"{DOCUMENTS}{document}/export/", {"format": "csv"}).expect_problem(403)
    bob.get(EXPORT, channel_id=channel, format="csv").expect_problem(403)
    alice.post(f"{DOCUMENTS}{document}/export/", {"format": "xlsx"}).expect_problem(422)
    alice.get(EXPORT, channel_id=channel).expect_problem(422)
    alice.get(f"/data-processor/batch/{2**62}/export/", format="csv").expect_problem(404)
