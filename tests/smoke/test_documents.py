"""Documents, over HTTP and in the database.

Protects from documents that are lost, changed or shown to others.
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS = "/data-processor/documents/"


@pytest.fixture(scope="module")
def channel(alice: User) -> dict[str, Any]:
    return alice.create_channel("private")


@pytest.mark.parametrize(
    ("name", "content", "media_type", "size"),
    [
        (f"{PREFIX}picture.png", samples.png(120, 80), "image/png", (120, 80)),
        (f"{PREFIX}invoice.pdf", samples.pdf(width=300, height=200), "application/pdf", (300, 200)),
    ],
    ids=["png", "pdf"],
)
def test_an_upload_is_stored_with_its_content(
    alice: User,
    channel: dict[str, Any],
    database: Database,
    name: str,
    content: bytes,
    media_type: str,
    size: tuple[int, int],
) -> None:
    # The declared type is wrong on purpose: only the content counts.
    document = alice.upload(channel["id"], name, content, "text/plain").expect(201)
    digest = hashlib.sha256(content).hexdigest()
    row = rows.one(database, "documents", id=document["id"])
    expected = (channel["id"], alice.id, name, media_type, len(content), 1, *size)
    columns = ("channel_id", "uploaded_by", "filename", "media_type", "size", "page_count", "width", "height")
    assert tuple(row[column] for column in columns) == expected
    assert row["sha256"] == digest
    stored = rows.one(database, "document_contents", sha256=digest)
    assert bytes(stored["data"]) == content

    shown = alice.get(f"{DOCUMENTS}{document['id']}/").expect(200)
    assert {key: shown[key] for key in ("sha256", "media_type", "size", "page_count", "width", "height")} == {
        "sha256": digest, "media_type": media_type, "size": len(content), "page_count": 1,
        "width": size[0], "height": size[1],
    }  # fmt: skip
    answer = alice.get(f"{DOCUMENTS}{document['id']}/content")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, content, media_type)
    again = alice.call("GET", f"{DOCUMENTS}{document['id']}/content", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    part = alice.call("GET", f"{DOCUMENTS}{document['id']}/content", headers={"Range": "bytes=5-9"})
    assert (part.status, part.body) == (206, content[5:10])


def test_members_are_notified_of_an_upload(alice: User, channel: dict[str, Any]) -> None:
    with alice.socket() as hers:
        document = alice.upload(channel["id"], f"{PREFIX}heard.png", samples.png(seed=3)).expect(201)
        frame = hers.wait_for("document_uploaded", document_id=document["id"])
    assert (frame["channel_id"], frame["uploaded_by"], frame["filename"]) == (
        channel["id"],
        alice.id,
        f"{PREFIX}heard.png",
    )
    thumbnail = alice.get(frame["thumbnail_url"])
    assert thumbnail.status == 200
    assert thumbnail.headers["Content-Type"].startswith("image/")


def test_rename_list_and_delete(alice: User, database: Database) -> None:
    channel = alice.create_channel("private")
    ids = [
        alice.upload(channel["id"], f"{PREFIX}{number}.png", samples.unlike_any_other()).expect(201)["id"]
        for number in range(5)
    ]
    stored = rows.one(database, "documents", id=ids[0])
    assert len(rows.many(database, "document_contents", sha256=stored["sha256"])) == 1
    pages = list(alice.pages(DOCUMENTS, channel_id=channel["id"], limit=2))
    assert [one["id"] for page in pages for one in page] == ids[::-1]
    assert (
        alice.patch(f"{DOCUMENTS}{ids[0]}/", {"filename": f"{PREFIX}renamed.png"}).expect(200)["filename"]
        == f"{PREFIX}renamed.png"
    )
    assert rows.one(database, "documents", id=ids[0])["filename"] == f"{PREFIX}renamed.png"
    assert alice.delete(f"{DOCUMENTS}{ids[0]}/").status == 204
    assert rows.many(database, "documents", id=ids[0]) == []
    assert rows.many(database, "document_contents", sha256=stored["sha256"]) == []
    alice.get(f"{DOCUMENTS}{ids[0]}/").expect_problem(404)


def test_equal_files_are_stored_once_and_deleted_with_the_last(alice: User, bob: User, database: Database) -> None:
    """Protects from a disk full of copies, and a deletion that takes the file of another document with it."""
    content = samples.unlike_any_other()
    digest = hashlib.sha256(content).hexdigest()
    rooms = [user.create_channel("private")["id"] for user in (alice, bob)]
    hers, his = (
        user.upload(room, f"{PREFIX}same.png", content).expect(201)["id"]
        for user, room in zip((alice, bob), rooms, strict=True)
    )
    assert len(rows.many(database, "document_contents", sha256=digest)) == 1
    bob.get(f"{DOCUMENTS}{hers}/content").expect_problem(403)
    assert alice.delete(f"{DOCUMENTS}{hers}/").status == 204
    assert bob.get(f"{DOCUMENTS}{his}/content").body == content
    assert bob.delete(f"/channels/{rooms[1]}").status == 204
    assert rows.many(database, "document_contents", sha256=digest) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (samples.png_bomb(), 422),
        (samples.png()[:200], 422),
        (samples.pdf_with_broken_xref(), 422),
        (b"#!/bin/sh\nrm -rf /\n", 415),
        (b"GIF89a" + bytes(50), 415),
        (b"", 422),
        (samples.png() + bytes(26 * 1024 * 1024), 413),
    ],
    ids=["bomb", "truncated", "broken-xref", "script", "other-format", "empty", "oversized"],
)
def test_invalid_files_are_refused_and_not_stored(
    alice: User, channel: dict[str, Any], database: Database, content: bytes, status: int
) -> None:
    count = "SELECT count(*) AS documents FROM documents WHERE channel_id = %s"
    before = database.execute(count, (channel["id"],)).fetchone()
    alice.upload(channel["id"], f"{PREFIX}innocent.png", content, "image/png").expect_problem(status)
    assert database.execute(count, (channel["id"],)).fetchone() == before


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/{}passwd", "{}passwd"),
        ("C:\\temp\\{}scan.png", "{}scan.png"),
        ("{} 🚀 Übersicht.png", "{} 🚀 Übersicht.png"),
    ],
    ids=["path", "windows-path", "emoji"],
)
def test_paths_are_removed_from_file_names(alice: User, channel: dict[str, Any], sent: str, kept: str) -> None:
    document = alice.upload(channel["id"], sent.format(PREFIX), samples.png()).expect(201)
    assert document["filename"] == kept.format(PREFIX)


def test_documents_of_other_channels_are_refused(alice: User, bob: User, channel: dict[str, Any]) -> None:
    document = alice.upload(channel["id"], f"{PREFIX}mine.png", samples.png()).expect(201)
    for path in ("", "content", "thumbnail", "annotations/"):
        bob.get(f"{DOCUMENTS}{document['id']}/{path}").expect_problem(403)
    bob.delete(f"{DOCUMENTS}{document['id']}/").expect_problem(403)
    bob.upload(channel["id"], f"{PREFIX}mine.png", samples.png()).expect_problem(403)
    bob.get(DOCUMENTS, channel_id=channel["id"]).expect_problem(403)
    alice.get(f"{DOCUMENTS}{2**62}/").expect_problem(404)
