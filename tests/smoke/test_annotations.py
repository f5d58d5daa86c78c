"""Annotations, over HTTP and in the database.

Protects from marks in documents that are lost, shifted or given to another document.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
BOX = {"x": 10.5, "y": 20, "width": 30.25, "height": 15}
FULL = {
    "page": 1, "bounding_box": BOX, "label_type": "field", "label_name": "Betrag €", "colour": "#ff8800",
    "text": "1.234,50", "confidence": 0.875, "validation_status": "pending",
}  # fmt: skip


@pytest.fixture(scope="module")
def annotations(alice: User) -> str:
    channel = alice.create_channel("private")
    document = alice.upload(channel["id"], f"{PREFIX}page.png", samples.png(120, 80)).expect(201)
    return f"/data-processor/documents/{document['id']}/annotations/"


def as_stored(row: dict[str, Any]) -> dict[str, Any]:
    box = {name: row[f"box_{name}"] for name in ("x", "y", "width", "height")}
    return {"bounding_box": box, **{name: row[name] for name in FULL if name != "bounding_box"}}


def test_an_annotation_is_stored_changed_and_deleted(alice: User, annotations: str, database: Database) -> None:
    created = alice.post(annotations, FULL).expect(201)
    assert {name: created[name] for name in FULL} == FULL
    row = rows.one(database, "annotations", id=created["id"])
    assert as_stored(row) == FULL
    assert row["created_by"] == alice.id

    path = f"{annotations}{created['id']}/"
    assert alice.patch(path, {"validation_status": "corrected", "text": "1.234,00"}).expect(200)["text"] == "1.234,00"
    assert as_stored(rows.one(database, "annotations", id=created["id"])) == FULL | {
        "validation_status": "corrected", "text": "1.234,00",
    }  # fmt: skip
    whole = FULL | {"bounding_box": {"x": 0, "y": 0, "width": 120, "height": 80}, "label_name": "Seite"}
    alice.put(path, whole).expect(200)
    assert as_stored(rows.one(database, "annotations", id=created["id"])) == whole

    assert alice.delete(path).status == 204
    assert rows.many(database, "annotations", id=created["id"]) == []
    alice.get(path).expect_problem(404)


@pytest.mark.parametrize("name", FULL)
def test_each_field_can_be_changed_alone(alice: User, annotations: str, database: Database, name: str) -> None:
    other = {
        "page": 1, "bounding_box": BOX | {"x": 1.5}, "label_type": "stamp", "label_name": "other", "colour": "#000001",
        "text": None, "confidence": None, "validation_status": "valid",
    }  # fmt: skip
    created = alice.post(annotations, FULL).expect(201)
    change = {name: {"x": 1.5} if name == "bounding_box" else other[name]}
    changed = alice.patch(f"{annotations}{created['id']}/", change).expect(200)
    assert {field: changed[field] for field in FULL} == FULL | {name: other[name]}
    assert as_stored(rows.one(database, "annotations", id=created["id"])) == FULL | {name: other[name]}


def test_annotations_are_listed_in_pages(alice: User, annotations: str) -> None:
    ids = [alice.post(annotations, FULL).expect(201)["id"] for _ in range(5)]
    listed = [one["id"] for page in alice.pages(annotations, limit=2) for one in page]
    assert [one for one in listed if one in ids] == ids[::-1]


@pytest.mark.parametrize(
    "change",
    [
        {"bounding_box": BOX | {"x": 100}},
        {"bounding_box": BOX | {"x": -1}},
        {"bounding_box": BOX | {"width": 0}},
        {"bounding_box": BOX | {"height": float("nan")}},
        {"bounding_box": BOX | {"height": float("inf")}},
        {"page": 2},
        {"confidence": 1.5},
        {"colour": "red"},
        {"validation_status": "perhaps"},
        {"text": "a\0b"},
    ],
    ids=lambda change: "-".join(str(value) for value in change.values())[:40],
)
def test_invalid_annotations_are_refused(alice: User, annotations: str, change: dict[str, Any]) -> None:
    # requests refuses to encode NaN and Infinity.
    body = json.dumps(FULL | change)
    answer = alice.call("POST", annotations, data=body, headers={"Content-Type": "application/json"})
    answer.expect_problem(400 if answer.status == 400 else 422)


def test_an_annotation_is_not_found_under_another_document(alice: User, annotations: str) -> None:
    """Protects from marks that are read or changed through a document to which they do not belong."""
    created = alice.post(annotations, FULL).expect(201)
    channel = alice.create_channel("private")
    other = alice.upload(channel["id"], f"{PREFIX}other.png", samples.png()).expect(201)
    alice.get(f"/data-processor/documents/{other['id']}/annotations/{created['id']}/").expect_problem(404)
