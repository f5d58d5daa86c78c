"""Uploads: accepted files, stored data, and refusals."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from data_processor_testkit import people_files, samples
from data_processor_testkit.service import Person, Service, refusal
from PIL import Image

WHOLE = {
    "image/png": samples.image("PNG"),
    "image/jpeg": samples.image("JPEG"),
    "image/webp": samples.image("WEBP"),
    "image/tiff": samples.image("TIFF"),
    "image/heic": people_files.heic(),
}


@pytest.mark.parametrize("media_type", WHOLE)
def test_image_is_stored_with_its_size(service: Service, person: Person, channel: int, media_type: str) -> None:
    data = WHOLE[media_type]
    response = person.upload(channel, data, "picture.pdf")

    assert response.status_code == 201, response.text
    body = response.json()
    expected: dict[str, Any] = {
        "channel_id": channel,
        "uploaded_by": person.id,
        "filename": "picture.pdf",
        "media_type": media_type,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "page_count": 1,
        "width": 120.0,
        "height": 80.0,
        "damage": [],
    }
    assert {name: body[name] for name in expected} == expected
    columns = ", ".join(f"d.{name}" for name in expected)
    sql = f"SELECT {columns}, c.data FROM documents d JOIN document_contents c USING (sha256) WHERE d.id = %s"
    assert service.rows(sql, body["id"]) == [(*expected.values(), data)]


def test_pdf_keeps_each_pages_size(service: Service, person: Person, channel: int) -> None:
    content = "BT /F 12 Tf 10 80 Td (Total 42) Tj ET"
    data = samples.pdf([("[0 0 200 100]", content), ("[50 50 350 450]", "")])
    body = person.upload(channel, data).json()

    assert (body["media_type"], body["page_count"], body["width"], body["height"]) == ("application/pdf", 2, 200, 100)
    sizes = service.rows("SELECT page_widths, page_heights FROM documents WHERE id = %s", body["id"])
    assert sizes == [([200.0, 300.0], [100.0, 400.0])]


def test_every_page_of_a_scan_has_its_size(service: Service, person: Person, channel: int) -> None:
    pages = [people_files.page(1, (100, 50)), people_files.page(2, (60, 90))]
    body = person.upload(channel, people_files.tiff(pages, compression="group4")).json()

    assert (body["media_type"], body["page_count"], body["width"], body["height"]) == ("image/tiff", 2, 100, 50)
    sizes = service.rows("SELECT page_widths, page_heights FROM documents WHERE id = %s", body["id"])
    assert sizes == [([100.0, 60.0], [50.0, 90.0])]


def test_damage_that_viewers_overlook_is_stored_and_said(service: Service, person: Person, channel: int) -> None:
    body = person.upload(channel, samples.pdf() + b"<!-- proxy -->" * 220).json()

    assert body["damage"] == ["it has 3,080 bytes after its end"]
    assert person.get(f"documents/{body['id']}/").json()["damage"] == body["damage"]
    assert person.get(f"documents/?channel_id={channel}").json()["items"][0]["damage"] == body["damage"]
    assert service.rows("SELECT damage FROM documents WHERE id = %s", body["id"]) == [(body["damage"],)]


def test_photo_is_measured_upright(person: Person, channel: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = person.upload(channel, samples.image("JPEG", exif=exif)).json()

    assert (body["width"], body["height"]) == (80, 120)
    thumbnail = person.get(f"documents/{body['id']}/thumbnail").content
    assert Image.open(io.BytesIO(thumbnail)).size == (80, 120)


def _truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


BROKEN = {
    "empty": (b"", "broken_file"),
    "png truncated": (_truncated(samples.noise(30_000)), "broken_file"),
    "png header alone": (samples.PNG_HEADER, "broken_file"),
    "jpeg truncated": (_truncated(samples.image("JPEG", (400, 400))), "broken_file"),
    "webp truncated": (_truncated(samples.image("WEBP", (400, 400))), "broken_file"),
    "png of 50,000 x 50,000 pixels": (samples.png_claiming(50_000, 50_000), "too_many_pixels"),
    "png of no width": (samples.png_claiming(0, 10), "too_many_pixels"),
    "png that moves": (samples.animation("PNG"), "several_frames"),
    "webp that moves": (samples.animation("WEBP"), "several_frames"),
    "pdf truncated": (_truncated(samples.pdf()), "broken_file"),
    "pdf header alone": (b"%PDF-1.7\n", "broken_file"),
    "pdf that is encrypted": (samples.pdf_encrypted(), "encrypted"),
    "pdf without pages": (samples.pdf([]), "broken_file"),
    "pdf with 501 pages": (samples.pdf([("[0 0 9 9]", "")] * 501), "too_many_pages"),
    "pdf page of 2,000,000 points": (samples.pdf([("[0 0 2000000 100]", "")]), "page_size"),
    "pdf page of infinite size": (samples.pdf([(f"[0 0 1{'0' * 60} 100]", "")]), "page_size"),
    "pdf page without an area": (samples.pdf([("[10 10 10 10]", "")]), "page_size"),
    "pdf page that is no box": (samples.pdf([("[0 0 NaN inf]", "")]), "page_size"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_refused(service: Service, person: Person, channel: int, name: str) -> None:
    data, code = BROKEN[name]
    body = refusal(person.upload(channel, data, "harmless.png"), 422, code)

    assert body["errors"][0]["field"] == "file"
    assert service.rows("SELECT id FROM documents WHERE channel_id = %s", channel) == []


def test_broken_file_is_logged_with_its_request(service: Service, person: Person, channel: int) -> None:
    body = refusal(person.upload(channel, samples.png_claiming(50_000, 50_000)), 422, "too_many_pixels")

    (entry,) = service.wait_for_entries("the refusal", request_id=body["request_id"])
    assert entry["level"] == "warning"
    assert entry["fields"]["media_type"] == "image/png"
    assert "50000 x 50000" in entry["fields"]["reason"]


@pytest.mark.parametrize(
    "data",
    [
        samples.image("GIF"),
        samples.image("BMP"),
        b"<html>",
        b"PK\x03\x04",
        b"\0" * 100,
        b"RIFF0000AVI ",
    ],
    ids=["gif", "bmp", "html", "zip", "zeros", "avi"],
)
def test_other_type_is_refused_with_any_name(person: Person, channel: int, data: bytes) -> None:
    refusal(person.upload(channel, data, "photo.png"), 415, "wrong_media_type")


def test_stranger_may_not_upload(service: Service, stranger: Person, channel: int) -> None:
    refusal(stranger.upload(channel, samples.image()), 403, "not_a_member")

    assert service.rows("SELECT id FROM documents WHERE channel_id = %s", channel) == []


def test_channel_that_does_not_exist(person: Person) -> None:
    refusal(person.upload(2**62, samples.image()), 404, "no_such_channel")


@pytest.mark.parametrize("value", ["", "x", "-1", "0", "1.5", "9" * 30, "\0", "１"])
def test_invalid_channel_id_is_refused(person: Person, value: str) -> None:
    body = refusal(person.upload(value, samples.image()), 422, "invalid")

    assert body["errors"][0]["field"] == "channel_id"


def test_missing_fields_are_named(person: Person) -> None:
    body = refusal(person.post("documents/", files={"other": ("a", b"x")}), 422, "invalid")

    assert [error["field"] for error in body["errors"]] == ["channel_id", "file"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.pdf", "scan.pdf"),
        ("😀 reçu.png", "😀 reçu.png"),
        ("e\u0301.png", "é.png"),
        ("a\x01b\x7f.png", "ab.png"),
        ("gpj\u202eexe.png", "gpjexe.png"),
        ("..", "document"),
        ("///", "document"),
        ("\x01", "document"),
        ("n" * 400 + ".png", "n" * 251 + ".png"),
        ("'; DROP TABLE documents; --", "'; DROP TABLE documents; --"),
    ],
)
def test_filename_is_cleaned(person: Person, channel: int, sent: str, kept: str) -> None:
    assert person.upload(channel, samples.image(), sent).json()["filename"] == kept
