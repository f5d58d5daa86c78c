"""Answers hold exactly what they must: headers of every kind of answer, and the fields of every document.

Protects from clients that break because a field or a header is missing, or a new one gives something away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, findings, pages, samples, sessions
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.sessions import Operator

DOCUMENTS = "/data-processor/documents/"
BY_CADDY = {"Date", "X-Content-Type-Options", "X-Request-Id"}
PROXIED = BY_CADDY | {"Via", "Cache-Control", "Content-Type", "Content-Length"}
FILE = PROXIED | {"Accept-Ranges", "Content-Disposition", "Content-Security-Policy", "Etag"}
RECORDER = PROXIED | {"Content-Security-Policy", "Referrer-Policy"}
HOP_BY_HOP = {"Connection", "Keep-Alive", "Transfer-Encoding"}
SAFE_FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

USER = {"id", "username", "display_name", "is_operator"}
CHANNEL = {"id", "name", "type", "is_direct", "created_by", "created_at"}
MEMBER = {"user_id", "username", "display_name", "joined_at"}
MESSAGE = {
    "id", "content", "image_url", "sender_id", "username", "display_name", "channel_id", "timestamp", "target_user_id",
}  # fmt: skip
DOCUMENT = {
    "id", "channel_id", "uploaded_by", "filename", "media_type", "size", "sha256", "damage", "page_count", "width",
    "height", "text_status", "text_error", "created_at", "updated_at", "urls",
}  # fmt: skip
ANNOTATION = {
    "id", "document_id", "page", "bounding_box", "label_type", "label_name", "colour", "text", "confidence",
    "validation_status", "reason", "value_type", "normalised_value", "expected_format", "template_id",
    "template_label_id", "template_version", "reviewed_by", "reviewed_at", "created_by", "created_at", "updated_at",
}  # fmt: skip
TEMPLATE = {
    "id", "channel_id", "name", "version", "source_document_id", "source_page", "anchored_pages", "date_order",
    "decimal_separator", "created_by", "created_at", "updated_at", "labels",
}  # fmt: skip
LABEL = {
    "id", "position", "name", "label_type", "colour", "page", "every_page", "bounding_box", "value_type",
    "expected_format", "required",
}  # fmt: skip
BATCH = {
    "id", "channel_id", "template_id", "status", "total", "done", "failed", "created_by", "created_at", "finished_at",
}  # fmt: skip
BATCH_ITEM = {"position", "document_id", "filename", "status", "error"}
PAGE = {"items", "next"}
BOX = {"x", "y", "width", "height"}
PROBLEM = {"type", "title", "status", "code", "detail", "request_id"}
HEALTH = {"service", "version", "stack_id", "status", "schema_revision"}
ENTRY = {"id", "ts", "level", "service", "logger", "message", "request_id", "exception", "fields"}
SOMETIMES = {"kind", "count", "replaces", "truncated"}
"""Only in entries that stand for several faults, and in those that were cut."""


@pytest.fixture(scope="module")
def made(alice: User) -> dict[str, Any]:
    """One of everything."""
    channel = alice.create_channel("private")["id"]
    message = alice.post(f"/channels/{channel}/messages", {"content": "exact"}).expect(201)
    document = alice.upload(channel, f"{PREFIX}exact.png", samples.png()).expect(201)
    box = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}
    label = {"name": "a", "label_type": "b", "bounding_box": box}
    annotation = alice.post(
        f"{DOCUMENTS}{document['id']}/annotations/", {"label_type": "a", "label_name": "b", "bounding_box": box}
    ).expect(201)
    template = alice.post(
        "/data-processor/templates/", {"channel_id": channel, "name": f"{PREFIX}exact", "labels": [label]}
    ).expect(201)
    job = {"channel_id": channel, "template_id": template["id"], "document_ids": [document["id"]]}
    batch = alice.post("/data-processor/batch/", job).expect(202)
    return {
        "channel": channel, "message": message, "document": document, "annotation": annotation, "template": template,
        "batch": batch,
    }  # fmt: skip


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


def headers_of(answer: Answer) -> set[str]:
    of_https = {"Strict-Transport-Security"} if answer.url.startswith("https:") else set()
    return {name.title() for name in answer.headers} - HOP_BY_HOP - of_https


@pytest.mark.parametrize(
    ("kind", "method", "path", "status", "headers"),
    [
        ("JSON of the backend", "GET", "/auth/me", 200, PROXIED),
        ("JSON of the data-processor", "GET", "/data-processor/templates/", 200, PROXIED),
        ("HEAD", "HEAD", "/auth/me", 200, PROXIED),
        ("refusal of the backend", "GET", "/channels/0/messages", 422, PROXIED),
        ("refusal of the data-processor", "GET", "/data-processor/templates/0/", 404, PROXIED),
        ("wrong method at the backend", "PUT", "/channels/", 405, PROXIED | {"Allow"}),
        ("wrong method at the data-processor", "PUT", "/data-processor/templates/", 405, PROXIED | {"Allow"}),
        ("refusal of Caddy", "GET", "/nowhere", 404, BY_CADDY | {"Cache-Control", "Content-Type", "Content-Length"}),
        ("refusal of the recorder", "GET", "/logs/entries", 403, PROXIED),
        ("file", "GET", "{document}content", 200, FILE),
        ("thumbnail", "GET", "{document}thumbnail", 200, FILE),
        ("login page", "GET", "/logs/login", 200, RECORDER),
        ("health", "GET", "/health", 200, PROXIED),
        ("page", "GET", "/", 200, BY_CADDY | pages.HEADERS),
        ("redirect", "GET", "/logs", 308, BY_CADDY | {"Location", "Content-Length"}),
    ],
)
def test_headers_of_every_kind_of_answer_are_exact(
    alice: User, made: dict[str, Any], kind: str, method: str, path: str, status: int, headers: set[str]
) -> None:
    path = path.format(document=f"{DOCUMENTS}{made['document']['id']}/")
    answer = alice.call(method, path, allow_redirects=False)
    assert answer.status == status, f"{kind}: {answer.body[:300]!r}"
    found = headers_of(answer)
    more, less = sorted(found - headers), sorted(headers - found)
    assert not more, f"{kind}, {method} {path}: headers that say too much: {more}"
    assert not less, f"{kind}, {method} {path}: headers that are missing: {less}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff", kind
    if "Cache-Control" in headers and kind not in ("login page", "page"):
        assert answer.headers["Cache-Control"] == "no-store", kind


def test_a_refused_session_names_the_scheme(alice: User) -> None:
    for path in ("/auth/me", "/data-processor/templates/", "/logs/entries"):
        answer = alice.call("GET", path, headers={"Authorization": ""})
        answer.expect_problem(401)
        assert headers_of(answer) == PROXIED | {"Www-Authenticate"}, path


def test_the_request_id_is_caddys_and_never_the_clients(alice: User) -> None:
    for path in ("/auth/me", "/data-processor/templates/", "/nowhere"):
        answer = alice.call("GET", path, headers={"X-Request-Id": "00000000-0000-4000-8000-000000000000"})
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.request_id), path
        assert answer.request_id != "00000000-0000-4000-8000-000000000000", path


@pytest.mark.parametrize("after", ["login", "registration"])
def test_the_session_cookie_has_exactly_its_attributes(stack: Stack, alice: User, after: str) -> None:
    answer = alice.login() if after == "login" else alice.registration
    ttl = contract.setting(stack, "PLUMBLINE_SESSION_TTL_S", contract.SESSION_TTL_S)
    assert "Set-Cookie" in answer.headers, (
        f"backend: the answer to a {after} sets no cookie; expected {contract.SESSION_COOKIE}, so that a browser is "
        "logged in. Next: services/backend/backend/routes/auth.py"
    )
    value, *attributes = (part.strip() for part in answer.headers["Set-Cookie"].split(";"))
    assert value.startswith(f"{contract.SESSION_COOKIE}=")
    told = "plumbline_cookie_secure=true" in " ".join(stack.settings).lower()
    secure = {"secure"} if told or stack.ca_file else set()
    assert {one.lower() for one in attributes} == {"httponly", f"max-age={ttl}", "path=/", "samesite=lax"} | secure
    me = alice.call("GET", "/auth/me", headers={"Authorization": None, "Cookie": value}).expect(200)
    assert me["id"] == alice.id, f"backend: the cookie after a {after} is a session of user {me['id']}"


def test_the_answer_to_a_login_has_exactly_its_fields(stack: Stack, alice: User) -> None:
    ttl = contract.setting(stack, "PLUMBLINE_SESSION_TTL_S", contract.SESSION_TTL_S)
    session = alice.login().expect(200)
    findings.require_fields(session, {"access_token", "token_type", "expires_in", "user"}, of="the answer to a login")
    assert (session["token_type"], session["expires_in"]) == ("bearer", ttl)
    findings.require_fields(session["user"], USER, of="the user in the answer to a login")


def test_logout_deletes_the_cookie(alice: User) -> None:
    # A session of its own, which ends with it.
    answer = alice.call("POST", "/auth/logout", headers=sessions.bearer(alice.login().expect(200)["access_token"]))
    assert answer.status == 204
    cookie = answer.headers["Set-Cookie"].lower()
    assert cookie.startswith(f'{contract.SESSION_COOKIE}="";')
    assert "max-age=0" in cookie


def test_files_are_served_so_that_they_can_do_no_harm(alice: User, made: dict[str, Any]) -> None:
    document = f"{DOCUMENTS}{made['document']['id']}/"
    pdf = alice.upload(made["channel"], f"{PREFIX}exact.pdf", samples.pdf()).expect(201)
    for path, disposition in (
        (f"{document}content", f'inline; filename="{PREFIX}exact.png"'),
        (f"{document}thumbnail", f'inline; filename="{PREFIX}exact.png.webp"'),
        (f"{DOCUMENTS}{pdf['id']}/content", f'attachment; filename="{PREFIX}exact.pdf"'),
    ):
        headers = alice.get(path).headers
        assert headers["Content-Security-Policy"] == SAFE_FILE, path
        assert headers["Content-Disposition"] == disposition, path


@pytest.mark.parametrize(
    ("sent", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=-4", -4, None), ("bytes=100-", 100, None)],
)
def test_a_range_of_a_file_is_exact(alice: User, made: dict[str, Any], sent: str, start: int, end: int | None) -> None:
    content = samples.png()
    answer = alice.call("GET", f"{DOCUMENTS}{made['document']['id']}/content", headers={"Range": sent})
    assert (answer.status, answer.body) == (206, content[start:end])
    first = start % len(content)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(content)}"
    assert headers_of(answer) == FILE | {"Content-Range"}


def test_a_file_that_the_client_has_is_not_sent_again(alice: User, made: dict[str, Any]) -> None:
    for name in ("content", "thumbnail"):
        path = f"{DOCUMENTS}{made['document']['id']}/{name}"
        whole = alice.get(path)
        again = alice.call("GET", path, headers={"If-None-Match": whole.headers["ETag"]})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", whole.headers["ETag"])
        other = alice.call("GET", path, headers={"If-None-Match": '"another"'})
        assert (other.status, other.body) == (200, whole.body)


def test_thumbnails_fit_into_their_square(alice: User, made: dict[str, Any]) -> None:
    wide = alice.upload(made["channel"], f"{PREFIX}wide.png", samples.blank_png(1000, 500)).expect(201)
    picture = alice.get(f"{DOCUMENTS}{wide['id']}/thumbnail")
    assert samples.size_of(picture.body) == (contract.THUMBNAIL_SIDE, contract.THUMBNAIL_SIDE // 2)


def exact(document: Any, fields: set[str], what: str) -> None:
    assert isinstance(document, dict), what
    more, less = sorted(document.keys() - fields), sorted(fields - document.keys())
    assert not more, f"{what}: fields that say too much: {more}"
    assert not less, f"{what}: fields that are missing: {less}"


def test_documents_of_the_backend_have_exactly_their_fields(alice: User, made: dict[str, Any]) -> None:
    channel = made["channel"]
    exact(alice.get("/auth/me").expect(200), USER, "user")
    exact(made["message"], MESSAGE, "message")
    for path, fields in (
        ("/channels/", CHANNEL),
        (f"/channels/search?name={PREFIX}", CHANNEL),
        (f"/channels/{channel}/members", MEMBER),
        (f"/channels/{channel}/messages", MESSAGE),
    ):
        page = alice.get(path).expect(200)
        exact(page, PAGE, path)
        exact(page["items"][0], fields, path)


def test_documents_of_the_data_processor_have_exactly_their_fields(alice: User, made: dict[str, Any]) -> None:
    document = f"{DOCUMENTS}{made['document']['id']}/"
    exact(made["document"], DOCUMENT, "document")
    assert made["document"]["urls"] == {
        "self": document, "content": f"{document}content", "thumbnail": f"{document}thumbnail",
    }  # fmt: skip
    exact(made["annotation"], ANNOTATION, "annotation")
    exact(made["annotation"]["bounding_box"], BOX, "box of an annotation")
    exact(made["template"], TEMPLATE, "template")
    exact(made["template"]["labels"][0], LABEL, "label of a template")
    exact(made["batch"], BATCH, "batch job")
    job = f"/data-processor/batch/{made['batch']['id']}/"
    exact(alice.get(job).expect(200), BATCH, job)
    in_channel = f"?channel_id={made['channel']}"
    for path, fields in (
        (f"{DOCUMENTS}{in_channel}", DOCUMENT),
        (f"{document}annotations/", ANNOTATION),
        (f"/data-processor/templates/{in_channel}", TEMPLATE),
        (f"/data-processor/batch/{in_channel}", BATCH),
        (f"{job}items/", BATCH_ITEM),
    ):
        page = alice.get(path).expect(200)
        exact(page, PAGE, path)
        exact(page["items"][0], fields, path)


def test_refusals_and_health_have_exactly_their_fields(alice: User) -> None:
    for path in (
        "/channels/9223372036854775807/messages",
        "/data-processor/templates/9223372036854775807/",
        "/nowhere",
    ):
        exact(alice.get(path).expect_problem(404), PROBLEM, path)
    for path in ("/channels/0/messages", "/data-processor/documents/?channel_id=x"):
        refused = alice.get(path).expect_problem(422)
        exact(refused, PROBLEM | {"errors"}, path)
        exact(refused["errors"][0], {"field", "message"}, path)
    for path in contract.HEALTH_PATHS.values():
        exact(alice.get(path).expect(200), HEALTH, path)


def test_documents_for_operators_have_exactly_their_fields(operator: Operator, alice: User) -> None:
    alice.call("GET", "/auth/me", headers={"Authorization": "Bearer rubbish"}).expect_problem(401)
    invite = operator.call("POST", "/auth/invites").expect(201)
    exact(invite, {"id", "created_at", "expires_at", "code"}, "new invite")
    listed = operator.call("GET", "/auth/invites").expect(200)
    exact(listed["items"][0], {"id", "created_by", "created_at", "expires_at", "used_by", "used_at"}, "listed invite")
    kept = operator.call("GET", "/logs/entries").expect(200)
    exact(kept, {"items", "since"}, "/logs/entries")
    for entry in kept["items"]:
        exact({name: entry.get(name) for name in entry.keys() - SOMETIMES}, ENTRY, "entry of the recorder")
    counted = operator.call("GET", "/logs/stats").expect(200)
    exact(
        counted,
        {"since", "received", "kept", "superseded", "dropped", "by_service", "by_level"},
        "/logs/stats",
    )
