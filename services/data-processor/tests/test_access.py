"""Authentication: tokens, cookies, and requests from pages of other origins."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from data_processor_testkit.service import TOKEN_SECRET, Person, Service, refusal
from servicekit.tokens import issue_for_deployment

from plumbline.verification.throwaway import through_caddy, wait_until

URLS = Path(__file__).parents[1] / "data_processor" / "urls.py"
OTHER_SECRET = "another-stack-has-another-secret-of-its-own"


def _bearer(service: Service, header: str) -> requests.Response:
    return through_caddy("GET", service.base + "templates/", headers={"Authorization": header}, timeout=30)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("documents/?channel_id=1", "GET"),
        ("documents/", "POST"),
        ("documents/1/", "GET"),
        ("documents/1/", "PATCH"),
        ("documents/1/", "DELETE"),
        ("documents/1/content", "GET"),
        ("documents/1/thumbnail", "GET"),
        ("documents/1/annotations/", "GET"),
        ("documents/1/annotations/", "POST"),
        ("documents/1/annotations/1/", "GET"),
        ("documents/1/annotations/1/", "PUT"),
        ("documents/1/annotations/1/", "PATCH"),
        ("documents/1/annotations/1/", "DELETE"),
        ("templates/", "GET"),
        ("templates/", "POST"),
        ("templates/1/", "GET"),
        ("templates/1/", "PUT"),
        ("templates/1/", "DELETE"),
        ("batch/", "GET"),
        ("batch/", "POST"),
        ("batch/1/", "GET"),
        ("documents/1/apply-template/", "POST"),
        ("documents/1/export/", "POST"),
        ("batch/1/export/", "GET"),
    ],
)
def test_no_call_works_without_a_session(service: Service, path: str, method: str) -> None:
    response = through_caddy(method, service.base + path, timeout=30)

    refusal(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_token_is_reported_and_not_logged(service: Service, person: Person) -> None:
    token = person.token_for(-1)
    body = refusal(_bearer(service, f"Bearer {token}"), 401, "unauthenticated")

    assert "expired" in body["detail"]
    assert not [entry for entry in service.entries() if entry["request_id"] == body["request_id"]]


def test_cached_token_expires_too(service: Service, person: Person) -> None:
    token = person.token_for(2)
    assert _bearer(service, f"Bearer {token}").status_code == 200
    deadline = time.monotonic() + 30
    while (response := _bearer(service, f"Bearer {token}")).status_code == 200:
        assert time.monotonic() < deadline, "the token never expires"

    assert "expired" in refusal(response, 401, "unauthenticated")["detail"]


def test_forged_token_is_refused_and_logged(service: Service, person: Person) -> None:
    token = person.token_for(60, secret=OTHER_SECRET)
    body = refusal(_bearer(service, f"Bearer {token}"), 401, "unauthenticated")

    assert "not signed by this stack" in body["detail"]
    (entry,) = service.wait_for_entries("the refusal", request_id=body["request_id"])
    assert (entry["level"], entry["fields"]["path"]) == ("warning", "/data-processor/templates/")
    assert token not in str(entry)


def test_unsigned_token_is_refused(service: Service, person: Person) -> None:
    claims = {"iss": "plumbline", "aud": "plumbline", "sub": str(person.id), "iat": 1, "exp": 2**40, "name": "x"}

    refusal(_bearer(service, f"Bearer {jwt.encode(claims, None, algorithm='none')}"), 401, "unauthenticated")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer  ", "Basic eDp5", "Bearer a.b.c", "Bearer " + "x" * 4000, "\xff\xfe"]
)
def test_malformed_header_is_refused(service: Service, header: str) -> None:
    response = through_caddy(
        "GET", service.base + "templates/", headers={"Authorization": header.encode("latin-1")}, timeout=30
    )
    refusal(response, 401, "unauthenticated")


def _with_cookie(service: Service, person: Person, method: str, **headers: str) -> requests.Response:
    cookies = {"access_token": person.token}
    body = {"json": {"channel_id": 2**62, "name": "x"}} if method == "POST" else {}
    return through_caddy(method, service.base + "templates/", cookies=cookies, headers=headers, timeout=30, **body)


def test_session_cookie_is_accepted(service: Service, person: Person) -> None:
    assert _with_cookie(service, person, "GET").status_code == 200
    refusal(_with_cookie(service, person, "POST"), 404, "no_such_channel")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_page_of_another_origin_may_not_use_the_cookie(
    service: Service, person: Person, headers: dict[str, str]
) -> None:
    refusal(_with_cookie(service, person, "POST", **headers), 403, "foreign_origin")
    assert _with_cookie(service, person, "GET", **headers).status_code == 200


def test_own_page_may_use_the_cookie(service: Service, person: Person) -> None:
    for headers in ({"Origin": f"http://127.0.0.1:{service.port}"}, {"Sec-Fetch-Site": "same-origin"}):
        refusal(_with_cookie(service, person, "POST", **headers), 404, "no_such_channel")


def test_bearer_token_needs_no_origin(person: Person) -> None:
    response = person.post(
        "templates/", json={"channel_id": 2**62, "name": "x"}, headers={"Origin": "https://elsewhere.example"}
    )
    refusal(response, 404, "no_such_channel")


@pytest.mark.parametrize(("is_operator", "status"), [(True, 200), (False, 403), (None, 401)])
def test_operators_are_recognised(service: Service, is_operator: bool | None, status: int) -> None:
    caller = Person(service, is_operator=bool(is_operator))
    headers = {} if is_operator is None else {"Authorization": f"Bearer {caller.token}"}
    address = service.base.replace("/data-processor/", "/auth/operator")
    answer = through_caddy("GET", address, headers=headers, timeout=30)
    assert answer.status_code == status
    assert answer.headers.get("X-Operator") == (caller.name if status == 200 else None)


def test_operator_rights_come_from_the_database(service: Service, person: Person) -> None:
    token = person.token_for(60, is_operator=True)
    address = service.base.replace("/data-processor/", "/auth/operator")
    answer = through_caddy("GET", address, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    refusal(answer, 403, "not_an_operator")


def test_a_deleted_users_token_is_refused(service: Service, document: dict[str, Any]) -> None:
    gone = Person(service, is_operator=True)
    operator = service.base.replace("/data-processor/", "/auth/operator")
    assert gone.get("templates/").status_code == 200
    with service.database() as connection:
        connection.execute("DELETE FROM users WHERE id = %s", (gone.id,))
    # Each process may still use an answer that it cached within the last two seconds.
    wait_until(
        lambda: {gone.get("templates/").status_code for _ in range(20)} == {401}, "the token is refused everywhere"
    )
    for path in (
        "documents/?channel_id=1",
        f"documents/{document['id']}/",
        f"documents/{document['id']}/content",
        f"documents/{document['id']}/thumbnail",
        f"documents/{document['id']}/annotations/",
        "templates/",
        "templates/1/",
        "batch/",
    ):
        assert "no longer exists" in refusal(gone.get(path), 401, "unauthenticated")["detail"]
    refusal(gone.upload(1, b"x"), 401, "unauthenticated")
    headers = {"Authorization": f"Bearer {gone.token}"}
    refusal(through_caddy("GET", operator, headers=headers, timeout=30), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM sessions WHERE user_id = %s", "has ended"),
        ("UPDATE users SET session_version = session_version + 1 WHERE id = %s", "has ended"),
        ("UPDATE users SET disabled_at = now() WHERE id = %s", "is disabled"),
    ],
)
def test_an_ended_session_is_refused_and_no_other(service: Service, change: str, reason: str) -> None:
    gone, other = Person(service, is_operator=True), Person(service)
    operator = service.base.replace("/data-processor/", "/auth/operator")
    assert gone.get("templates/").status_code == 200
    with service.database() as connection:
        connection.execute(change.encode(), (gone.id,))
    wait_until(
        lambda: {gone.get("templates/").status_code for _ in range(20)} == {401}, "the token is refused everywhere"
    )
    assert reason in refusal(gone.get("templates/"), 401, "unauthenticated")["detail"]
    headers = {"Authorization": f"Bearer {gone.token}"}
    refusal(through_caddy("GET", operator, headers=headers, timeout=30), 401, "unauthenticated")
    assert other.get("templates/").status_code == 200


def test_the_session_of_another_user_opens_nothing(service: Service, person: Person) -> None:
    other = Person(service)
    other.session_id = person.session_id
    refusal(_bearer(service, f"Bearer {other.token_for(60)}"), 401, "unauthenticated")


def test_the_deployment_may_read_the_recorder_and_nothing_else(service: Service) -> None:
    token = issue_for_deployment(TOKEN_SECRET, 60)
    address = service.base.replace("/data-processor/", "/auth/operator")
    answer = through_caddy("GET", address, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert (answer.status_code, answer.headers["X-Operator"]) == (200, "operator")
    refusal(_bearer(service, f"Bearer {token}"), 401, "unauthenticated")
    for refused in (issue_for_deployment(OTHER_SECRET, 60), issue_for_deployment(TOKEN_SECRET, -1)):
        answer = through_caddy("GET", address, headers={"Authorization": f"Bearer {refused}"}, timeout=30)
        refusal(answer, 401, "unauthenticated")


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_allow_names_every_method_of_every_path(service: Service, person: Person) -> None:
    # Read as text: importing the routes needs Django's settings.
    declared = re.findall(r'path\(\s*"([^"]+)",\s*Methods', URLS.read_text(encoding="utf-8"))
    paths = [re.sub(r"<id:\w+>", "1", path) for path in declared]
    root = service.base.removesuffix("data-processor/")
    addresses = [(root if path == "auth/operator" else service.base) + path for path in paths]
    assert len(set(addresses)) >= 16
    for address in addresses:
        answers = {
            method: through_caddy(method, address, headers={"Authorization": "Bearer x.y.z"}, timeout=30)
            for method in METHODS
        }
        taken = {method for method, answer in answers.items() if answer.status_code != 405}
        assert ("GET" in taken) == ("HEAD" in taken), address
        for method in set(METHODS) - taken:
            assert set(answers[method].headers["Allow"].split(", ")) == taken, (method, address)


def test_no_answer_is_cached_or_sniffed(service: Service, person: Person, document: dict[str, Any]) -> None:
    content = person.get(f"documents/{document['id']}/content")
    known = {"If-None-Match": content.headers["ETag"]}
    answers = {
        "content": content,
        "not modified": person.get(f"documents/{document['id']}/content", headers=known),
        "part": person.get(f"documents/{document['id']}/content", headers={"Range": "bytes=0-9"}),
        "list": person.get("templates/"),
        "not found": person.get("templates/9999999/"),
        "no address": person.get("nowhere"),
        "no method": person.call("PUT", "documents/"),
        "too large": person.post("templates/", data=b"x" * 2_000_000, headers={"Content-Type": "application/json"}),
        "no session": through_caddy("GET", service.base + "templates/", timeout=30),
    }
    assert (answers["not modified"].status_code, answers["part"].status_code) == (304, 206)
    for name, answer in answers.items():
        assert answer.headers["Cache-Control"] == "no-store", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
