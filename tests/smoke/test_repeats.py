"""Requests with an `Idempotency-Key`: what is repeated is stored once, and answered again with the first answer.

Protects from a repeated request that stores its message or document twice.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS, TEMPLATES, BATCH = (f"/data-processor/{name}/" for name in ("documents", "templates", "batch"))
BOX = {"x": 1.5, "y": 2, "width": 3, "height": 4}


@dataclass
class Creation:
    """A call that creates a row of `table`, and what that row has that no other has."""

    table: str
    path: str
    body: dict[str, Any]
    own: dict[str, Any]
    other: dict[str, Any]
    """A body that means something else."""

    def send(self, user: User, key: str, body: dict[str, Any] | None = None) -> Answer:
        """Send it with a key; a document goes as a form."""
        headers, body = {"Idempotency-Key": key}, body or self.body
        if self.path != DOCUMENTS:
            return user.call("POST", self.path, json=body, headers=headers)
        files = {"file": (body["filename"], samples.png())}
        return user.call("POST", self.path, files=files, data={"channel_id": body["channel_id"]}, headers=headers)


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


@pytest.fixture(scope="module")
def document(alice: User, channel: int) -> int:
    return int(alice.upload(channel, f"{PREFIX}marked.png", samples.png()).expect(201)["id"])


@pytest.fixture(params=["message", "channel", "document", "annotation", "template", "batch job"])
def creation(request: Any, alice: User, channel: int, document: int) -> Creation:
    mark = uuid.uuid4().hex
    name = f"{PREFIX}{mark}"
    in_channel = {"channel_id": channel}
    if request.param == "message":
        body = {"content": mark}
        return Creation("messages", f"/channels/{channel}/messages", body, body, {"content": "other"})
    if request.param == "channel":
        body = {"name": name, "type": "private"}
        return Creation("channels", "/channels/", body, body, {"name": f"{name}x", "type": "private"})
    if request.param == "document":
        body = in_channel | {"filename": f"{name}.png"}
        return Creation("documents", DOCUMENTS, body, body, in_channel | {"filename": f"{name}x.png"})
    if request.param == "annotation":
        body = {"bounding_box": BOX, "label_type": "text", "label_name": mark}
        path = f"{DOCUMENTS}{document}/annotations/"
        return Creation("annotations", path, body, {"label_name": mark}, body | {"text": "other"})
    template = in_channel | {"name": name}
    if request.param == "template":
        return Creation("templates", TEMPLATES, template, template, in_channel | {"name": f"{name}x"})
    made = alice.post(TEMPLATES, template).expect(201)["id"]
    body = in_channel | {"template_id": made, "document_ids": [document]}
    return Creation("batch_jobs", BATCH, body, {"template_id": made}, body | {"document_ids": [document + 1]})


def test_a_repeated_request_is_stored_once_and_answered_like_the_first_time(
    alice: User, creation: Creation, database: Database
) -> None:
    key = str(uuid.uuid4())
    first = creation.send(alice, key)
    assert first.status in (201, 202), f"{creation.path}: expected 201 or 202, got {first.status} {first.body[:200]!r}"
    again = creation.send(alice, key)
    assert (again.status, again.json) == (first.status, first.json), f"{creation.path}: another answer to the same key"
    assert rows.one(database, creation.table, **creation.own)["id"] == first.json["id"]
    assert rows.one(database, "idempotency_keys", user_id=alice.id, key=key)
    refused = creation.send(alice, key, creation.other).expect_problem(422)
    assert refused["code"] == "key_reused", f"{creation.path}: another body with the same key got {refused['code']}"


def test_requests_at_once_with_one_key_are_stored_once(alice: User, channel: int, database: Database) -> None:
    key, body = str(uuid.uuid4()), {"content": uuid.uuid4().hex}
    creation = Creation("messages", f"/channels/{channel}/messages", body, body, {})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: creation.send(alice, key), range(4)))
    stored = rows.one(database, "messages", **body)["id"]
    assert {answer.json["id"] for answer in answers if answer.status == 201} == {stored}
    assert {answer.json["code"] for answer in answers if answer.status != 201} <= {"key_in_use"}


def test_only_the_sender_sees_the_key_of_a_message(alice: User, bob: User) -> None:
    channel, key, content = alice.create_channel()["id"], str(uuid.uuid4()), uuid.uuid4().hex
    bob.post(f"/channels/{channel}/join").expect(200)
    body = {"content": content}
    with alice.socket() as own, bob.socket() as foreign:
        Creation("messages", f"/channels/{channel}/messages", body, body, {}).send(alice, key).expect(201)
        assert own.wait_for("message", content=content).get("idempotency_key") == key
        assert "idempotency_key" not in foreign.wait_for("message", content=content)
