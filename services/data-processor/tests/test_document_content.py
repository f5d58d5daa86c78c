"""Serving a document's bytes and its thumbnail."""

from __future__ import annotations

import io
from typing import Any

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal
from PIL import Image

BYTES = samples.noise(100_000)


@pytest.fixture
def stored(person: Person, channel: int) -> dict[str, Any]:
    return dict(person.upload(channel, BYTES, "a “b”😀.png").json())


def test_content_is_served_unchanged(person: Person, stored: dict[str, Any]) -> None:
    response = person.get(f"documents/{stored['id']}/content")

    assert response.content == BYTES
    assert response.headers["ETag"] == f'"{stored["sha256"]}"'
    assert response.headers["Accept-Ranges"] == "bytes"


def test_content_is_harmless_in_a_browser(person: Person, stored: dict[str, Any]) -> None:
    headers = person.get(f"documents/{stored['id']}/content").headers

    assert headers["Content-Type"] == "image/png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"] == "inline; filename*=utf-8''a%20%E2%80%9Cb%E2%80%9D%F0%9F%98%80.png"


def test_pdf_is_sent_as_a_download(person: Person, channel: int) -> None:
    document = person.upload(channel, samples.pdf()).json()
    person.call("PATCH", f"documents/{document['id']}/", json={"filename": 'q"uote.pdf'})
    headers = person.get(f"documents/{document['id']}/content").headers

    assert headers["Content-Type"] == "application/pdf"
    assert headers["Content-Disposition"] == 'attachment; filename="q\\"uote.pdf"'


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=99000-", 99_000, len(BYTES)),
        ("bytes=-7", len(BYTES) - 7, len(BYTES)),
        ("bytes=5-999999999999999999", 5, len(BYTES)),
        ("bytes=-999999999", 0, len(BYTES)),
    ],
)
def test_range_is_answered_with_that_part(
    person: Person, stored: dict[str, Any], wanted: str, start: int, end: int
) -> None:
    response = person.get(f"documents/{stored['id']}/content", headers={"Range": wanted})

    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(BYTES)}"
    assert response.content == BYTES[start:end]


@pytest.mark.parametrize(
    "wanted", ["bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "x" * 5000]
)
def test_unsupported_range_is_answered_with_the_whole(person: Person, stored: dict[str, Any], wanted: str) -> None:
    response = person.get(f"documents/{stored['id']}/content", headers={"Range": wanted})

    assert (response.status_code, response.content == BYTES) == (200, True)


@pytest.mark.parametrize("wanted", ["bytes=999999-", "bytes=-0"])
def test_range_outside_is_refused(person: Person, stored: dict[str, Any], wanted: str) -> None:
    response = person.get(f"documents/{stored['id']}/content", headers={"Range": wanted})

    refusal(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"] == f"bytes */{len(BYTES)}"


@pytest.mark.parametrize("kind", ["content", "thumbnail"])
def test_an_unchanged_file_is_not_sent_again(person: Person, stored: dict[str, Any], kind: str) -> None:
    path = f"documents/{stored['id']}/{kind}"
    etag = person.get(path).headers["ETag"]

    for known in (etag, f'W/{etag}, "other"', "*"):
        response = person.get(path, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
    assert person.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_range_of_another_version_is_answered_with_the_whole(person: Person, stored: dict[str, Any]) -> None:
    path = f"documents/{stored['id']}/content"

    other = person.get(path, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    same = person.get(path, headers={"Range": "bytes=0-3", "If-Range": f'"{stored["sha256"]}"'})
    assert (other.status_code, same.status_code) == (200, 206)


def test_head_has_the_size(person: Person, stored: dict[str, Any]) -> None:
    response = person.call("HEAD", f"documents/{stored['id']}/content")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(len(BYTES))


@pytest.mark.parametrize(
    "make", [lambda: samples.image("JPEG", (900, 600)), lambda: samples.pdf([("[0 0 900 600]", "")])]
)
def test_thumbnail_is_made_once_and_kept(service: Service, person: Person, channel: int, make: Any) -> None:
    document = person.upload(channel, make()).json()
    kept = "SELECT thumbnail FROM document_contents JOIN documents USING (sha256) WHERE id = %s"
    assert service.rows(kept, document["id"]) == [(None,)]

    response = person.get(f"documents/{document['id']}/thumbnail")
    assert response.headers["Content-Type"] == "image/webp"
    picture = Image.open(io.BytesIO(response.content))
    assert picture.format == "WEBP"
    assert abs(picture.width - 320) <= 1
    assert abs(picture.height - 213) <= 1
    assert service.rows(kept, document["id"]) == [(response.content,)]

    with service.database() as connection:
        connection.execute("UPDATE document_contents SET thumbnail = 'kept' WHERE sha256 = %s", (document["sha256"],))
    assert person.get(f"documents/{document['id']}/thumbnail").content == b"kept"


@pytest.mark.parametrize("kind", ["content", "thumbnail"])
def test_stranger_gets_neither(person: Person, stranger: Person, stored: dict[str, Any], kind: str) -> None:
    refusal(stranger.get(f"documents/{stored['id']}/{kind}"), 403, "not_a_member")
    refusal(person.get(f"documents/{2**62}/{kind}"), 404, "no_such_document")
