"""Templates made from a document and applied to others, over HTTP and in the database.

Protects from values that a template puts into the wrong field, twice, or over what a person has entered.
"""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import forms, frames, rows
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS, TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


def upload(alice: User, channel: int, content: bytes) -> int:
    """Upload a form and return its id once its text was read."""
    document = alice.upload(channel, f"{PREFIX}form", content).expect(201)
    return int(wait_until_read(alice, document["id"])["id"])


def new_template(alice: User, channel: int, source: int | None) -> dict[str, Any]:
    body = {
        "channel_id": channel, "name": f"{PREFIX}form-{secrets.token_hex(4)}", "labels": forms.LABELS,
        "source_document_id": source, "date_order": "DMY", "decimal_separator": ",",
    }  # fmt: skip
    made: dict[str, Any] = alice.post(TEMPLATES, body).expect(201)
    return made


@pytest.fixture(scope="module")
def template(alice: User, channel: int) -> dict[str, Any]:
    """A template made from a PDF that is deleted afterwards."""
    blank = {"number": "10000", "date": "01.01.2020", "amount": "1,00"}
    source = upload(alice, channel, forms.pdf(blank))
    made = new_template(alice, channel, source)
    assert alice.delete(f"{DOCUMENTS}{source}/").status == 204
    return made


def apply(user: User, document: int, template: int, **how: Any) -> dict[str, Any]:
    path = f"{DOCUMENTS}{document}/apply-template/"
    applied: dict[str, Any] = user.post(path, {"template_id": template} | how).expect(200)
    return applied


def test_the_words_of_the_source_are_stored_with_the_template(
    alice: User, template: dict[str, Any], database: Database
) -> None:
    """Protects from a template that cannot find its places on the next copy, which lies a little off."""
    stored = alice.get(f"{TEMPLATES}{template['id']}/").expect(200)
    assert (stored["version"], stored["source_document_id"], stored["anchored_pages"]) == (1, None, [1])
    row = rows.one(database, "template_anchors", template_id=template["id"])
    assert (row["page"], row["width"], row["height"]) == (1, *forms.SIZE)
    assert {"Harbour", "Signature", "thirty"} <= {word[0] for word in row["words"]}


@pytest.mark.parametrize(
    "content",
    [
        forms.pdf(forms.VALUES),
        forms.pdf(forms.VALUES, scale=0.8, shift=(25, -12)),
        forms.pdf(forms.VALUES, degrees=12, scale=0.85),
        forms.scan(forms.VALUES, degrees=-7),
    ],
    ids=["same", "shifted and scaled", "turned", "scanned and turned"],
)
def test_the_same_values_are_found_on_every_copy(
    alice: User, channel: int, template: dict[str, Any], database: Database, content: bytes
) -> None:
    document = upload(alice, channel, content)
    applied = apply(alice, document, template["id"])
    assert [(page["method"], page["needs_review"]) for page in applied["pages"]] == [("anchors", False)], applied[
        "pages"
    ]
    assert (applied["missing_required"], applied["annotations_created"]) == ([], 3)
    stored = {row["label_name"]: row for row in rows.many(database, "annotations", document_id=document)}
    assert {name: row["text"] for name, row in stored.items()} == forms.VALUES
    assert {name: row["normalised_value"] for name, row in stored.items()} == forms.NORMALISED
    labels = {label["name"]: label["id"] for label in template["labels"]}
    for name, row in stored.items():
        assert (row["validation_status"], row["reason"]) == ("valid", None), name
        assert (row["template_id"], row["template_label_id"]) == (template["id"], labels[name])
        assert (row["template_version"], row["reviewed_by"], row["created_by"]) == (1, None, alice.id)


def test_a_second_run_doubles_nothing_and_leaves_a_persons_word(
    alice: User, channel: int, template: dict[str, Any], database: Database
) -> None:
    document = upload(alice, channel, forms.pdf(forms.VALUES))
    made = {one["label_name"]: one["id"] for one in apply(alice, document, template["id"])["annotations"]}
    path = f"{DOCUMENTS}{document}/annotations/"
    alice.patch(f"{path}{made['number']}/", {"text": "20471", "validation_status": "corrected"}).expect(200)
    alice.patch(f"{path}{made['date']}/", {"validation_status": "valid"}).expect(200)
    before = {row["id"]: row for row in rows.many(database, "annotations", document_id=document)}
    assert (before[made["number"]]["reviewed_by"], before[made["date"]]["reviewed_by"]) == (alice.id, alice.id)
    assert before[made["amount"]]["reviewed_at"] is None

    applied = apply(alice, document, template["id"])
    assert applied["annotations_created"] == 0
    after = {row["id"]: row for row in rows.many(database, "annotations", document_id=document)}
    assert {row["label_name"]: row["text"] for row in after.values()} == forms.VALUES | {"number": "20471"}
    assert after == before


def test_members_are_told_after_the_rows_are_there(alice: User, channel: int, template: dict[str, Any]) -> None:
    document = upload(alice, channel, forms.pdf(forms.VALUES))
    with alice.socket() as socket:
        apply(alice, document, template["id"])
        frame = socket.wait_for("template_applied", document_id=document)
    assert frame.keys() == frames.FIELDS["template_applied"]
    assert frames.faults(frame) == []
    assert (frame["channel_id"], frame["template_id"]) == (channel, template["id"])
    assert {one["label_name"]: one["matched_text"] for one in frame["matched_regions"]} == forms.VALUES
    assert frame["matched_regions"][0].keys() == {
        "label_id", "label_name", "label_type", "x", "y", "width", "height", "matched_text", "confidence",
    }  # fmt: skip


def test_doubt_is_said_and_nothing_is_valid(alice: User, channel: int, template: dict[str, Any]) -> None:
    document = upload(alice, channel, forms.pdf(forms.VALUES))
    by_position = apply(alice, document, new_template(alice, channel, None)["id"])
    assert [(page["method"], page["needs_review"]) for page in by_position["pages"]] == [("position", True)]
    assert {one["validation_status"] for one in by_position["annotations"]} == {"pending"}

    far = upload(alice, channel, forms.pdf(forms.VALUES, degrees=35, scale=0.6))
    refused = apply(alice, far, template["id"])
    assert [(page["method"], page["needs_review"]) for page in refused["pages"]] == [("none", True)]
    assert (refused["annotations"], refused["missing_required"]) == ([], ["number", "date", "amount"])


def test_a_template_of_another_channel_is_refused(
    alice: User, bob: User, channel: int, template: dict[str, Any], database: Database
) -> None:
    elsewhere = alice.create_channel("private")["id"]
    document = upload(alice, elsewhere, forms.pdf(forms.VALUES))
    path = f"{DOCUMENTS}{document}/apply-template/"
    refused = alice.post(path, {"template_id": template["id"]}).expect_problem(422)
    assert [error["field"] for error in refused["errors"]] == ["template_id"]
    bob.post(path, {"template_id": template["id"]}).expect_problem(403)
    assert rows.many(database, "annotations", document_id=document) == []


@pytest.mark.parametrize("pattern", [r"(?=1)[0-9]+", r"([0-9])\1", r"[0-9]+\Z", "[0-9]++", "[0-9]{1001}"])
def test_a_format_that_cannot_be_checked_in_linear_time_is_refused(alice: User, channel: int, pattern: str) -> None:
    """Protects from one format of one user that keeps the worker busy for hours."""
    labels = [forms.LABELS[0] | {"expected_format": pattern}]
    body = {"channel_id": channel, "name": f"{PREFIX}{secrets.token_hex(4)}", "labels": labels}
    refused = alice.post(TEMPLATES, body).expect_problem(422)
    assert [error["field"] for error in refused["errors"]] == ["labels.0.expected_format"]
