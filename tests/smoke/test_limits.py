"""Every limit, from below and above, and every accepted kind of value.

Protects from requests that are too large, and allowed ones that are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed

from plumbline.stack import Stack
from plumbline.verification.checks import contract, findings, samples
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.created import PREFIX

DOCUMENTS = "/data-processor/documents/"
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


@pytest.fixture(scope="module")
def document(alice: User, channel: int) -> int:
    return int(alice.upload(channel, f"{PREFIX}limits.png", samples.png()).expect(201)["id"])


def padded(document: dict[str, Any], size: int) -> bytes:
    """Return the document as JSON of `size` bytes, filled with spaces."""
    text = json.dumps(document)
    return (text + " " * (size - len(text))).encode()


def test_the_length_of_messages_is_limited(alice: User, channel: int) -> None:
    path = f"/channels/{channel}/messages"
    alice.post(path, {"content": "ü" * contract.MESSAGE_MAX}).expect(201)
    alice.post(path, {"content": "ü" * (contract.MESSAGE_MAX + 1)}).expect_problem(422)


def test_the_size_of_bodies_for_the_backend_is_limited(stack: Stack, alice: User, channel: int) -> None:
    most = contract.setting(stack, "PLUMBLINE_BODY_MAX_BYTES", contract.BODY_MAX_BYTES["backend"])
    path = f"/channels/{channel}/messages"
    alice.call("POST", path, data=padded({"content": "whole"}, most), headers=JSON_TYPE).expect(201)
    refused = alice.call("POST", path, data=padded({"content": "whole"}, most + 1), headers=JSON_TYPE)
    assert refused.expect_problem(413)["code"] == "body_too_large"


def test_the_size_of_bodies_for_the_data_processor_is_limited(stack: Stack, alice: User, document: int) -> None:
    most = contract.setting(stack, "PLUMBLINE_BODY_MAX_BYTES", contract.BODY_MAX_BYTES["data-processor"])
    path = f"{DOCUMENTS}{document}/"
    name = {"filename": f"{PREFIX}limits.png"}
    alice.call("PATCH", path, data=padded(name, most), headers=JSON_TYPE).expect(200)
    refused = alice.call("PATCH", path, data=padded(name, most + 1), headers=JSON_TYPE)
    assert refused.expect_problem(413)["code"] == "body_too_large"


def test_the_size_of_documents_is_limited(stack: Stack, alice: User, channel: int) -> None:
    most = contract.setting(stack, "PLUMBLINE_UPLOAD_MAX_BYTES", contract.UPLOAD_MAX_BYTES)
    whole = samples.png()
    stored = alice.upload(channel, f"{PREFIX}largest.png", whole + bytes(most - len(whole))).expect(201)
    assert stored["size"] == most
    refused = alice.upload(channel, f"{PREFIX}larger.png", whole + bytes(most + 1 - len(whole)))
    assert refused.expect_problem(413)["code"] == "body_too_large"
    alice.delete(f"{DOCUMENTS}{stored['id']}/")


def test_the_number_of_pixels_is_limited(stack: Stack, alice: User, channel: int) -> None:
    most = contract.setting(stack, "PLUMBLINE_IMAGE_MAX_PIXELS", contract.IMAGE_MAX_PIXELS)
    height = 5000
    stored = alice.upload(channel, f"{PREFIX}wide.png", samples.blank_png(most // height, height)).expect(201)
    assert (stored["width"], stored["height"]) == (most // height, height)
    refused = alice.upload(channel, f"{PREFIX}wider.png", samples.blank_png(most // height + 1, height))
    assert refused.expect_problem(422)["code"] == "too_many_pixels"


def encoded(kind: str) -> bytes:
    """Return an image that Pillow has written."""
    written = BytesIO()
    image = Image.new("RGB", (64, 48), "#336699")
    if kind == "heic":
        pillow_heif.from_pillow(image).save(written)
    else:
        image.save(written, kind)
    return written.getvalue()


@pytest.mark.parametrize("media_type", contract.MEDIA_TYPES)
def test_every_accepted_type_of_document_is_stored(alice: User, channel: int, media_type: str) -> None:
    kind = media_type.partition("/")[2]
    content = samples.pdf() if kind == "pdf" else encoded(kind)
    stored = alice.upload(channel, f"{PREFIX}any.bin", content).expect(201)
    assert stored["media_type"] == media_type
    whole = alice.get(f"{DOCUMENTS}{stored['id']}/content")
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (200, content, media_type)
    assert alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").headers["Content-Type"] == "image/webp"


@pytest.mark.parametrize("kind", ["gif", "bmp", "ico"])
def test_other_images_are_refused(alice: User, channel: int, kind: str) -> None:
    refused = alice.upload(channel, f"{PREFIX}other.png", encoded(kind), "image/png")
    assert refused.expect_problem(415)["code"] == "wrong_media_type"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (samples.encrypted_pdf(), "encrypted"),
        (samples.pdf()[:300], "broken_file"),
        (encoded("jpeg")[:-200], "broken_file"),
        (encoded("webp")[:-20], "broken_file"),
        (samples.png()[:-100], "broken_file"),
    ],
    ids=["encrypted-pdf", "cut-pdf", "cut-jpeg", "cut-webp", "cut-png"],
)
def test_files_that_cannot_be_opened_are_refused_by_their_reason(
    alice: User, channel: int, content: bytes, code: str
) -> None:
    assert alice.upload(channel, f"{PREFIX}broken.bin", content).expect_problem(422)["code"] == code


@pytest.mark.parametrize("path", ["/channels/", "/data-processor/templates/", "/logs/entries"])
def test_headers_may_have_so_many_bytes_and_no_more(alice: User, path: str) -> None:
    assert alice.call("GET", path, headers={"X-Filler": "x" * 20_000}).status in (200, 403)
    # Caddy does not read the rest, so the connection may end before its answer is read.
    url = alice.base_url + path
    with alice.http.get(url, headers={"X-Filler": "x" * 60_000}, stream=True, timeout=TIMEOUT_S) as refused:
        assert refused.status_code == 431


@pytest.mark.parametrize("status", contract.VALIDATION_STATUSES)
def test_every_validation_status_is_stored(alice: User, document: int, status: str) -> None:
    """Protects from a status that is allowed by the documents, and refused by the database."""
    box = {"x": 1, "y": 2, "width": 3, "height": 4}
    mark = {"bounding_box": box, "label_type": "a", "label_name": "b", "validation_status": status}
    stored = alice.post(f"{DOCUMENTS}{document}/annotations/", mark).expect(201)
    assert stored["validation_status"] == status


def test_the_size_of_frames_is_limited(stack: Stack, alice: User) -> None:
    most = contract.setting(stack, "PLUMBLINE_FRAME_MAX_BYTES", contract.FRAME_MAX_BYTES)
    with alice.socket() as hers:
        hers.send(padded({"type": "ping", "payload": {"sent_at_ms": 7}}, most).decode())
        hers.wait_for("pong", payload={"sent_at_ms": 7})
        hers.send(padded({"type": "ping", "payload": {"sent_at_ms": 8}}, most + 1).decode())
        with findings.refused(
            f"backend: a frame of {most + 1} bytes", by=ConnectionClosed, saying="received 1009",
            then="services/backend/backend/routes/live.py limits frames",
        ):  # fmt: skip
            hers.wait_for("pong", payload={"sent_at_ms": 8})


@pytest.mark.parametrize("length", [7, 257])
def test_a_password_that_is_too_short_or_too_long_is_refused(new_user: Callable[[], User], length: int) -> None:
    user = new_user()
    # Hard to guess also where it is short, so that only its length can be the reason.
    password = ("zK7#qW2$vN9!" * 30)[:length]
    user.register(f"{user.username[:20]}-{length}", password).expect_problem(422)


@pytest.mark.parametrize("password", ["password1", "qwertyuiop", "12345678"])
def test_a_password_that_is_easy_to_guess_is_refused(alice: User, password: str) -> None:
    refused = alice.register(f"{alice.username[:24]}-weak", password).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["password"]


def test_a_password_that_is_close_to_the_users_own_name_is_refused(alice: User) -> None:
    """Protects from passwords that are guessed from the name beside them."""
    name = f"{alice.username[:24]}-own"
    refused = alice.register(name, f"{name}1").expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["password"]
    assert "your own name" in refused["detail"], refused["detail"]
