"""Documents, annotations and templates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from .conftest import User

NewUser = Callable[[], User]
BOX = {"x": 1, "y": 2, "width": 3, "height": 4}
ANNOTATION = {"bounding_box": BOX, "label_type": "text", "label_name": "number", "text": "2026-17"}


def test_a_document_is_kept_as_it_is_for_members_only(new_user: NewUser, png: bytes) -> None:
    user, stranger = new_user(), new_user()
    channel = user.channel()
    document = user.upload(channel, png, "scan <1>.png").json()
    facts = {name: document[name] for name in ("filename", "media_type", "size", "sha256", "width", "page_count")}
    assert facts == {
        "filename": "scan <1>.png", "media_type": "image/png", "size": len(png),
        "sha256": hashlib.sha256(png).hexdigest(), "width": 8, "page_count": 1,
    }  # fmt: skip
    assert user.get(document["urls"]["content"]).content == png
    assert user.get(f"/data-processor/documents/?channel_id={channel}").json()["items"] == [document]
    for path in (document["urls"]["self"], document["urls"]["content"]):
        assert stranger.get(path).status_code == 404
    assert stranger.get(f"/data-processor/documents/?channel_id={channel}").json()["code"] == "not_a_member"
    assert stranger.upload(channel, png).json()["code"] == "not_a_member"


def test_a_pdf_is_measured(new_user: NewUser, pdf: bytes) -> None:
    user = new_user()
    document = user.upload(user.channel(), pdf, "letter.pdf").json()
    assert (document["media_type"], document["page_count"], document["width"]) == ("application/pdf", 2, 200)


@pytest.mark.parametrize(
    ("data", "code"), [(b"plain text", "wrong_media_type"), (b"%PDF-1.7 cut", "broken_file"), (b"", "wrong_media_type")]
)
def test_other_files_are_refused(new_user: NewUser, data: bytes, code: str) -> None:
    user = new_user()
    assert user.upload(user.channel(), data).json()["code"] == code


def test_numbers_that_are_no_ids_are_refused(new_user: NewUser, png: bytes) -> None:
    user = new_user()
    for number in (0, -1, 2**63, 10**30):
        assert user.upload(number, png).status_code == 422
        assert user.get(f"/data-processor/documents/?channel_id={number}").status_code == 422
        assert user.get(f"/data-processor/documents/{number}/").status_code == 422
        assert user.get(f"/channels/{number}/messages").status_code == 422
        assert user.post("/channels/1/members", {"user_id": number}).status_code == 422


def test_text_that_is_no_unicode_is_refused(new_user: NewUser) -> None:
    user = new_user()
    body = b'{"content": "\\ud800"}'
    headers = {"Content-Type": "application/json"}
    answer = user.http.post(f"{user.url}/channels/{user.channel()}/messages", data=body, headers=headers, timeout=20)
    assert answer.status_code == 422


def test_annotations_live_with_their_document(new_user: NewUser, png: bytes) -> None:
    user, stranger = new_user(), new_user()
    channel = user.channel()
    place = f"/data-processor/documents/{user.upload(channel, png).json()['id']}/annotations/"
    made = user.post(place, ANNOTATION).json()
    assert {name: made[name] for name in ANNOTATION} == ANNOTATION
    changed = user.http.patch(f"{user.url}{place}{made['id']}/", json={"validation_status": "valid"}, timeout=20).json()
    assert changed == {**made, "validation_status": "valid", "updated_at": changed["updated_at"]}
    refused = user.http.patch(f"{user.url}{place}{made['id']}/", json={"confidence": 2}, timeout=20)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "confidence")
    assert user.get(place).json() == {"items": [changed], "next": None}
    assert stranger.get(f"{place}{made['id']}/").status_code == 404
    assert user.http.delete(user.url + place.removesuffix("annotations/"), timeout=20).status_code == 204
    assert user.get(f"{place}{made['id']}/").json()["code"] == "no_such_annotation"


def test_templates_belong_to_a_channel(new_user: NewUser) -> None:
    user, stranger = new_user(), new_user()
    channel = user.channel()
    label = {"name": "number", "label_type": "text", "bounding_box": {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.1}}
    body = {"channel_id": channel, "name": "Invoice", "labels": [label]}
    made = user.post("/data-processor/templates/", body).json()
    place = f"/data-processor/templates/{made['id']}/"
    replaced = user.http.put(user.url + place, json={"name": "Bill"}, timeout=20).json()
    assert (replaced["name"], replaced["labels"], replaced["channel_id"]) == ("Bill", [], channel)
    assert user.get(f"/data-processor/templates/?channel_id={channel}").json()["items"] == [replaced]
    assert stranger.get(place).json()["code"] == "no_such_template"
    assert user.http.delete(user.url + place, timeout=20).status_code == 204
    assert user.get(place).status_code == 404
