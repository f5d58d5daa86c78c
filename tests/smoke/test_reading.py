"""The text of documents: read by itself after an upload, over HTTP and in the database.

Protects from documents whose text is not read, or read into another document.
"""

from __future__ import annotations

import math
from typing import Any

import psycopg
import pytest

from plumbline.verification.checks import contract, rows, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS = "/data-processor/documents/"
NEAR = 6.0
"""Pixels between where a word was drawn and where it was found."""


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


def upload_and_read(user: User, channel: int, name: str, content: bytes) -> dict[str, Any]:
    """Upload a file and wait until it was read."""
    document = user.upload(channel, f"{PREFIX}{name}", content).expect(201)
    return wait_until_read(user, document["id"])


def page_text(user: User, document: int, page: int) -> dict[str, Any]:
    """Return the text of a page that was read."""
    found: dict[str, Any] = user.get(f"{DOCUMENTS}{document}/pages/{page}/text").expect(200)
    return found


def test_the_text_layer_of_a_pdf_is_read(alice: User, channel: int, database: Database) -> None:
    document = upload_and_read(alice, channel, "layer.pdf", samples.pdf("Invoice 4711", width=300, height=200))
    assert (document["text_status"], document["text_error"]) == ("done", None)

    text = page_text(alice, document["id"], 1)
    assert (text["engine"], text["text"], text["width"], text["height"]) == ("text-layer", "Invoice 4711", 300, 200)
    assert [word["text"] for word in text["words"]] == ["Invoice", "4711"]
    x, y, _, height = text["words"][0]["box"]
    assert (round(x), round(y + height)) == pytest.approx((20, 40), abs=2)
    row = rows.one(database, "page_texts", document_id=document["id"])
    assert (row["page"], row["engine"], row["text"], row["words"]) == (1, "text-layer", text["text"], text["words"])


@pytest.mark.parametrize("angle", [0, 6, 90], ids=["level", "askew", "on its side"])
def test_a_scanned_page_is_read_in_its_own_pixels(alice: User, channel: int, database: Database, angle: int) -> None:
    scan, centres = samples.scan(angle)
    document = upload_and_read(alice, channel, f"scan-{angle}.png", scan)

    text = page_text(alice, document["id"], 1)
    assert text["engine"] == "tesseract"
    assert text["angle"] == pytest.approx(-angle, abs=0.3)
    found = {word["text"]: word for word in text["words"]}
    assert sorted(found) == sorted(centres)
    for word, (x, y) in centres.items():
        left, top, width, height = found[word]["box"]
        centre = round(left + width / 2), round(top + height / 2)
        assert math.dist(centre, (x, y)) < NEAR, f"{word} was found at {centre}, not at {(round(x), round(y))}"
        assert 0.5 < found[word]["confidence"] <= 1
    row = rows.one(database, "page_texts", document_id=document["id"])
    assert (row["engine"], row["angle"]) == ("tesseract", text["angle"])


def test_pages_have_pictures_and_others_do_not_exist(alice: User, channel: int) -> None:
    document = alice.upload(channel, f"{PREFIX}pages.pdf", samples.scanned_pdf(2)).expect(201)
    pages = f"{DOCUMENTS}{document['id']}/pages/"

    picture = alice.get(f"{pages}2/image", width=300)
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/webp")
    assert samples.size_of(picture.body)[0] == 300
    known = {"If-None-Match": picture.headers["ETag"]}
    assert alice.call("GET", f"{pages}2/image?width=300", headers=known).status == 304
    assert samples.size_of(alice.get(f"{pages}1/image").body)[0] == contract.PICTURE_WIDTH
    alice.get(f"{pages}1/image", width=contract.PICTURE_WIDTH_MAX + 1).expect_problem(422)
    for what in ("text", "image"):
        assert alice.get(f"{pages}3/{what}").expect_problem(404)["code"] == "no_such_page"


def test_a_document_is_read_again(alice: User, bob: User, channel: int, database: Database) -> None:
    document = upload_and_read(alice, channel, "again.pdf", samples.pdf("Read twice"))
    path = f"{DOCUMENTS}{document['id']}/process/"

    bob.post(path).expect_problem(403)
    assert rows.one(database, "documents", id=document["id"])["text_status"] == "done"
    with alice.socket() as hers:
        assert alice.post(path).expect(202)["text_status"] == "pending"
        frame = hers.wait_for("ocr_complete", document_id=document["id"])
    assert (frame["channel_id"], frame["extracted_text"]) == (channel, "Read twice")
    assert wait_until_read(alice, document["id"])["text_status"] == "done"
    assert rows.one(database, "page_texts", document_id=document["id"])["text"] == "Read twice"
