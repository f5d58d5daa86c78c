"""Templates, over HTTP and in the database.

Protects from templates that are lost, changed or used in another channel.
"""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
TEMPLATES = "/data-processor/templates/"
LABELS = [
    {"name": "number", "label_type": "field", "colour": "#112233", "page": 1, "required": True,
     "bounding_box": {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.05}, "expected_format": r"^[0-9]{4}$"},
    {"name": "total", "label_type": "field", "colour": "#445566", "page": 1, "required": False,
     "bounding_box": {"x": 0.5, "y": 0.8, "width": 0.4, "height": 0.1}, "expected_format": None},
]  # fmt: skip


BOX = ("x", "y", "width", "height")
PLAIN = ("name", "label_type", "colour", "page", "required", "expected_format")


@pytest.fixture(scope="module")
def channel(alice: User) -> dict[str, Any]:
    return alice.create_channel("private")


def new_template(alice: User, channel: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {"channel_id": channel["id"], "name": f"{PREFIX}invoice-{secrets.token_hex(4)}", "labels": LABELS} | changes
    created: dict[str, Any] = alice.post(TEMPLATES, body).expect(201)
    return created


def stored_labels(database: Database, template_id: int) -> list[dict[str, Any]]:
    """Return the stored labels of a template, in the format of the API."""
    found = sorted(rows.many(database, "template_labels", template_id=template_id), key=lambda row: row["position"])
    assert [row["position"] for row in found] == list(range(1, len(found) + 1))
    return [
        {"bounding_box": {side: row[f"box_{side}"] for side in BOX}, **{name: row[name] for name in PLAIN}}
        for row in found
    ]


def test_a_template_and_its_labels_are_stored(alice: User, channel: dict[str, Any], database: Database) -> None:
    created = new_template(alice, channel)
    row = rows.one(database, "templates", id=created["id"])
    assert (row["channel_id"], row["name"], row["created_by"]) == (channel["id"], created["name"], alice.id)
    assert stored_labels(database, created["id"]) == LABELS


def test_templates_are_listed_changed_and_deleted(alice: User, channel: dict[str, Any], database: Database) -> None:
    created = new_template(alice, channel)
    listed = alice.get(TEMPLATES, channel_id=channel["id"]).expect(200)["items"]
    mine = next(one for one in listed if one["id"] == created["id"])
    assert [{name: label[name] for name in LABELS[0]} for label in mine["labels"]] == LABELS
    changed = {"name": created["name"] + " 2", "labels": [LABELS[1] | {"required": True, "page": 2}, LABELS[0]]}
    alice.put(f"{TEMPLATES}{created['id']}/", changed).expect(200)
    row = rows.one(database, "templates", id=created["id"])
    assert (row["name"], row["channel_id"], row["created_by"]) == (changed["name"], channel["id"], alice.id)
    assert stored_labels(database, created["id"]) == changed["labels"]
    assert alice.delete(f"{TEMPLATES}{created['id']}/").status == 204
    assert rows.many(database, "templates", id=created["id"]) == []
    assert rows.many(database, "template_labels", template_id=created["id"]) == []


@pytest.mark.parametrize(
    "label",
    [
        {"bounding_box": {"x": 0.9, "y": 0, "width": 0.2, "height": 0.1}},
        {"bounding_box": {"x": 0, "y": 0, "width": 120, "height": 80}},
        {"expected_format": "([unclosed"},
        {"name": ""},
    ],
    ids=["outside", "pixels", "bad-regex", "no-name"],
)
def test_invalid_labels_are_refused(alice: User, channel: dict[str, Any], label: dict[str, Any]) -> None:
    """Protects from templates whose boxes lie outside of every page."""
    body = {"channel_id": channel["id"], "name": f"{PREFIX}{secrets.token_hex(4)}", "labels": [LABELS[0] | label]}
    alice.post(TEMPLATES, body).expect_problem(422)


def test_a_channel_has_one_template_of_a_name(alice: User, channel: dict[str, Any]) -> None:
    created = new_template(alice, channel)
    other = new_template(alice, channel)
    again = {"channel_id": channel["id"], "name": created["name"].replace("invoice", "INVOICE"), "labels": []}
    assert alice.post(TEMPLATES, again).expect_problem(409)["code"] == "name_taken"
    renamed = alice.put(f"{TEMPLATES}{other['id']}/", {"name": created["name"], "labels": []})
    assert renamed.expect_problem(409)["code"] == "name_taken"
    elsewhere = alice.create_channel("private")
    alice.post(TEMPLATES, again | {"channel_id": elsewhere["id"]}).expect(201)


def test_unknown_fields_are_refused_and_named(alice: User, channel: dict[str, Any]) -> None:
    body = {"channel_id": channel["id"], "name": f"{PREFIX}{secrets.token_hex(4)}", "labels": [], "lables": []}
    refused = alice.post(TEMPLATES, body).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["lables"]


def test_templates_of_other_channels_are_refused(alice: User, bob: User, channel: dict[str, Any]) -> None:
    created = new_template(alice, channel)
    bob.get(f"{TEMPLATES}{created['id']}/").expect_problem(403)
    bob.get(TEMPLATES, channel_id=channel["id"]).expect_problem(403)
    assert created["id"] not in [one["id"] for one in bob.get(TEMPLATES).expect(200)["items"]]
