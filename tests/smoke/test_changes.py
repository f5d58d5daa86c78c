"""A call changes the rows that it is about, in the columns that it is about, and nothing else.

Protects from calls that change more than they were asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import samples
from plumbline.verification.checks.changes import watched
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS, TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"
BOX = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}
MARK = {"label_type": "a", "label_name": "b", "bounding_box": BOX, "text": "as it was", "confidence": 0.5}


class World:
    """A channel of alice and bob with three of everything: what is changed has an older and a newer sibling."""

    def __init__(self, alice: User, bob: User) -> None:
        self.alice, self.bob = alice, bob
        self.channel = int(alice.create_channel("private")["id"])
        self.path = f"/channels/{self.channel}"
        alice.post(f"{self.path}/members", {"user_id": bob.id}).expect(201)
        self.messages = [self._message(number) for number in range(3)]
        self.documents = [self._document(number) for number in range(3)]
        self.annotations = [self._annotation() for _ in range(3)]
        self.templates = [self._template(number) for number in range(3)]

    @property
    def document(self) -> str:
        """The path of the document between the others."""
        return f"{DOCUMENTS}{self.documents[1]}/"

    @property
    def annotation(self) -> str:
        """The path of the annotation between the others, all of this document."""
        return f"{self.document}annotations/{self.annotations[1]}/"

    @property
    def template(self) -> str:
        """The path of the template between the others."""
        return f"{TEMPLATES}{self.templates[1]}/"

    def upload(self, user: User, name: str, content: bytes) -> dict[str, Any]:
        """Upload a file and wait until it was read, which changes rows by itself."""
        document = user.upload(self.channel, PREFIX + name, content).expect(201)
        return wait_until_read(user, document["id"])

    @contextmanager
    def require(self, database: Database, *expected: str) -> Iterator[None]:
        """Fail unless the block makes exactly these changes to the rows of the channel and of both users."""
        with watched(database, [self.channel], [self.alice.id, self.bob.id]) as change:
            yield
        names = {
            f"documents {self.documents[1]}": "the document",
            f"annotations {self.annotations[1]}": "the annotation",
            f"templates {self.templates[1]}": "the template",
        }
        found = sorted(
            next((one.replace(row, name) for row, name in names.items() if one.startswith(f"{row}:")), one)
            for one in change.all
        )
        assert found == sorted(expected), f"expected these changes in the database: {sorted(expected)}, found: {found}"

    def _message(self, number: int) -> int:
        return int(self.alice.post(f"{self.path}/messages", {"content": str(number)}).expect(201)["id"])

    def _document(self, number: int) -> int:
        return int(self.upload(self.alice, f"change-{number}.png", samples.png(seed=number))["id"])

    def _annotation(self) -> int:
        return int(self.alice.post(f"{self.document}annotations/", MARK).expect(201)["id"])

    def _template(self, number: int) -> int:
        labels = [{"name": name, "label_type": "a", "bounding_box": BOX} for name in ("one", "two")]
        body = {"channel_id": self.channel, "name": f"{PREFIX}change-{number}", "labels": labels}
        return int(self.alice.post(TEMPLATES, body).expect(201)["id"])


@pytest.fixture(scope="module")
def world(alice: User, bob: User) -> World:
    """Objects that checks change, and do not delete."""
    return World(alice, bob)


def test_reading_changes_nothing(world: World, database: Database) -> None:
    thumbnail = f"{world.document}thumbnail"
    world.alice.get(thumbnail)  # the first request stores it
    with world.require(database):
        for path in (
            "/auth/me", "/channels/", world.path + "/members", world.path + "/messages", world.document,
            f"{world.document}content", thumbnail, f"{world.document}annotations/", world.annotation, world.template,
            f"{TEMPLATES}?channel_id={world.channel}", f"{DOCUMENTS}?channel_id={world.channel}",
        ):  # fmt: skip
            assert world.bob.get(path).status == 200, path
        world.alice.login().expect(200)


def test_the_first_thumbnail_is_stored_with_its_document_alone(world: World, database: Database) -> None:
    stored, newer = (
        world.upload(world.alice, f"{name}.png", samples.unlike_any_other()) for name in ("thumbnail", "newer")
    )
    with world.require(database, f"document_contents {stored['sha256']}: thumbnail"):
        assert world.alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").status == 200
    for one in (stored, newer):
        assert world.alice.delete(f"{DOCUMENTS}{one['id']}/").status == 204


def test_a_message_is_one_new_row(world: World, database: Database) -> None:
    with world.require(database, "+1 messages"):
        world.bob.post(f"{world.path}/messages", {"content": "new"}).expect(201)


def test_an_upload_is_one_document_with_its_content(world: World, database: Database) -> None:
    with world.require(database, "+1 documents", "+1 document_contents", "+1 page_texts"):
        world.upload(world.bob, "new.png", samples.unlike_any_other())


def test_an_equal_upload_is_one_document_alone(world: World, database: Database) -> None:
    content = samples.unlike_any_other()
    world.upload(world.alice, "first.png", content)
    with world.require(database, "+1 documents", "+1 page_texts"):
        world.upload(world.bob, "equal.png", content)


def test_what_a_member_creates_is_that_members(world: World) -> None:
    box = {"label_type": "a", "label_name": "b", "bounding_box": BOX}
    made = {
        "sender_id": world.bob.post(f"{world.path}/messages", {"content": "mine"}),
        "uploaded_by": world.bob.upload(world.channel, f"{PREFIX}mine.png", samples.png()),
        "created_by": world.bob.post(f"{world.document}annotations/", box),
    }
    template = world.bob.post(TEMPLATES, {"channel_id": world.channel, "name": f"{PREFIX}mine"})
    found = {name: answer.expect(201)[name] for name, answer in made.items()}
    found["created_by of a template"] = template.expect(201)["created_by"]
    assert set(found.values()) == {world.bob.id}, f"what user {world.bob.id} created belongs to others: {found}"


def test_renaming_changes_the_document_alone(world: World, database: Database) -> None:
    with world.require(database, "the document: filename, updated_at"):
        world.bob.patch(world.document, {"filename": f"{PREFIX}renamed.png"}).expect(200)


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"text": "changed"}, "text"),
        ({"validation_status": "valid", "confidence": None}, "confidence, validation_status"),
        ({"bounding_box": {"y": 5}}, "box_y"),
        ({}, ""),
    ],
    ids=["text", "two-fields", "side-of-the-box", "nothing"],
)
def test_changing_an_annotation_changes_its_sent_fields_alone(
    world: World, database: Database, change: dict[str, Any], columns: str
) -> None:
    world.alice.put(world.annotation, MARK).expect(200)
    expected = sorted([*columns.split(", "), "reviewed_at", "reviewed_by", "updated_at"])
    with world.require(database, *([f"the annotation: {', '.join(expected)}"] if columns else [])):
        world.bob.patch(world.annotation, change).expect(200)


def test_replacing_an_annotation_resets_what_is_not_sent(world: World, database: Database) -> None:
    world.alice.put(world.annotation, MARK | {"text": "before"}).expect(200)
    with world.require(database, "the annotation: confidence, reviewed_at, reviewed_by, text, updated_at"):
        whole = {name: value for name, value in MARK.items() if name not in ("text", "confidence")}
        world.bob.put(world.annotation, whole).expect(200)


def test_replacing_a_template_replaces_its_own_labels(world: World, database: Database) -> None:
    labels = [{"name": "three", "label_type": "a", "bounding_box": BOX}]
    changed = "the template: labels_text, labels_text_of, name, updated_at, version"
    with world.require(database, changed, "-2 template_labels", "+1 template_labels"):
        world.bob.put(world.template, {"name": f"{PREFIX}replaced", "labels": labels}).expect(200)


def test_leaving_ends_one_membership_and_joining_again_adds_a_welcome(
    world: World, database: Database, new_user: Callable[[], User]
) -> None:
    guest = new_user()
    with world.require(database, "+1 memberships", "+1 messages"):
        world.alice.post(f"{world.path}/members", {"user_id": guest.id}).expect(201)
    with world.require(database):
        world.alice.post(f"{world.path}/members", {"user_id": guest.id}).expect(200)
    with world.require(database, "-1 memberships"):
        assert guest.post(f"{world.path}/leave").status == 204


def test_deleting_deletes_what_belongs_to_it_alone(world: World, database: Database) -> None:
    document = world.upload(world.alice, "gone.png", samples.unlike_any_other())
    annotations = f"{DOCUMENTS}{document['id']}/annotations/"
    gone, _ = (world.alice.post(annotations, MARK).expect(201)["id"] for _ in range(2))
    label = {"name": "one", "label_type": "a", "bounding_box": BOX}
    template, newer = (
        world.alice.post(TEMPLATES, {"channel_id": world.channel, "name": f"{PREFIX}{name}", "labels": [label]})
        for name in ("gone", "newer")
    )
    with world.require(database, "-1 annotations"):
        assert world.bob.delete(f"{annotations}{gone}/").status == 204
    with world.require(database, "-1 templates", "-1 template_labels"):
        assert world.bob.delete(f"{TEMPLATES}{template.json['id']}/").status == 204
    with world.require(database, "-1 annotations", "-1 documents", "-1 document_contents", "-1 page_texts"):
        assert world.alice.delete(f"{DOCUMENTS}{document['id']}/").status == 204
    assert world.alice.delete(f"{TEMPLATES}{newer.json['id']}/").status == 204


def test_refused_calls_change_nothing(world: World, database: Database) -> None:
    with world.require(database):
        world.alice.patch(world.annotation, {"bounding_box": {"x": 1000}}).expect_problem(422)
        world.alice.put(world.template, {"name": f"{PREFIX}change-0", "labels": []}).expect_problem(409)
        world.alice.patch(world.document, {"filename": ""}).expect_problem(422)
        world.alice.post(f"{world.path}/messages", {"content": " "}).expect_problem(422)
