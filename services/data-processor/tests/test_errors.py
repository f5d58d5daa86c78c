"""Bad input gets a clear refusal, never a server error."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from data_processor.web import errors
from data_processor_testkit.service import Person, Service, refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.verification.throwaway import through_caddy, wait_until

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def paths(person: Person, channel: int, document: dict[str, Any]) -> list[tuple[str, str]]:
    template = person.post("templates/", json={"channel_id": channel, "name": "T"}).json()["id"]
    box = {"x": 0, "y": 0, "width": 1, "height": 1}
    annotations = f"documents/{document['id']}/annotations/"
    body = {"bounding_box": box, "label_type": "a", "label_name": "b"}
    annotation = f"{annotations}{person.post(annotations, json=body).json()['id']}/"
    return [
        ("PATCH", f"documents/{document['id']}/"),
        ("POST", annotations),
        ("PUT", annotation),
        ("PATCH", annotation),
        ("POST", "templates/"),
        ("PUT", f"templates/{template}/"),
        ("POST", "batch/"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'"\x00"',
    ],
    ids=["empty", "cut", "no utf-8", "lone surrogate", "nan", "deep", "deep object", "raw nul"],
)
def test_invalid_json_is_refused(person: Person, paths: list[tuple[str, str]], body: bytes) -> None:
    for method, path in paths:
        refusal(person.call(method, path, data=body, headers=JSON), 400, "invalid_json")


def test_body_of_another_type_is_refused(person: Person, paths: list[tuple[str, str]]) -> None:
    for method, path in paths:
        for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            response = person.call(method, path, data=b"{}", headers={"Content-Type": content_type})
            refusal(response, 415, "wrong_media_type")


def test_huge_body_is_refused(person: Person, paths: list[tuple[str, str]]) -> None:
    for method, path in paths:
        response = person.call(method, path, data=b'"' + b"x" * 3_000_000 + b'"', headers=JSON)
        assert refusal(response, 413, "body_too_large")["limit"] == 1024**2


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, 2**64, 10**400, 1e308, -0.0, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(["\0", "#123456", "pending", "(", "a" * 300, "1", "\u202e", "😀"]),
)
FIELDS = st.sampled_from(
    [
        "page",
        "bounding_box",
        "x",
        "y",
        "width",
        "height",
        "label_type",
        "label_name",
        "colour",
        "text",
        "confidence",
        "validation_status",
        "name",
        "labels",
        "channel_id",
        "template_id",
        "document_ids",
        "filename",
        "required",
        "expected_format",
    ]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(FIELDS, inner, max_size=8)),
    max_leaves=25,
)
WHOLE = st.fixed_dictionaries(
    {
        "bounding_box": st.fixed_dictionaries(dict.fromkeys(("x", "y", "width", "height"), LEAVES)),
        "label_type": st.text(min_size=1, max_size=9),
        "label_name": st.text(min_size=1, max_size=9),
    },
    optional={"page": st.integers(-1, 3), "text": LEAVES, "confidence": LEAVES, "colour": LEAVES},
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=st.one_of(st.dictionaries(FIELDS, VALUES, max_size=8), WHOLE, VALUES))
def test_any_json_gets_an_answer_below_500(person: Person, paths: list[tuple[str, str]], body: Any) -> None:
    text = json.dumps(body).encode()
    for method, path in paths:
        response = person.call(method, path, data=text, headers=JSON)
        assert response.status_code < 500, (method, path, text, response.text)


QUERY = st.dictionaries(st.sampled_from(["channel_id", "limit", "before", "x"]), st.text(max_size=25), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERY, number=st.one_of(st.text(max_size=25), st.integers().map(str)))
def test_any_address_gets_an_answer_below_500(person: Person, query: dict[str, str], number: str) -> None:
    for path in (
        "documents/",
        "templates/",
        "batch/",
        f"documents/{number}/",
        f"documents/{number}/annotations/{number}/",
    ):
        assert person.get(path, params=query).status_code < 500


def test_unknown_address_is_a_problem(service: Service) -> None:
    for path in ("", "nothing", "documents", "documents/1", "documents/1/annotations", "../x", "%00", "%ff", "health/"):
        refusal(through_caddy("GET", service.base + path, timeout=30), 404, "no_such_address")


def test_refused_method_names_the_allowed_ones(person: Person) -> None:
    response = person.call("DELETE", "templates/")

    refusal(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, POST"


def test_valid_request_id_is_kept(service: Service) -> None:
    def answered(sent: str) -> str:
        response = through_caddy("GET", service.base + "nothing", headers={"X-Request-Id": sent}, timeout=30)
        assert response.json()["request_id"] == response.headers["X-Request-Id"]
        return str(response.headers["X-Request-Id"])

    assert answered("caddy-0123456789") == "caddy-0123456789"
    for odd in ("short", "x" * 65, "a b c d e f g", "<script>alert"):
        assert re.fullmatch("[0-9a-f]{32}", answered(odd))


def test_failure_is_a_plain_500_and_a_log_entry(service: Service, person: Person, document: dict[str, Any]) -> None:
    with service.database() as connection:
        connection.execute("ALTER TABLE annotations RENAME COLUMN colour TO color")
        try:
            response = person.get(f"documents/{document['id']}/annotations/")
        finally:
            connection.execute("ALTER TABLE annotations RENAME COLUMN color TO colour")

    body = refusal(response, 500, "internal_error")
    assert "colour" not in response.text
    (entry,) = service.wait_for_entries("the refusal", request_id=body["request_id"])
    assert entry["level"] == "error"
    assert "a.colour does not exist" in entry["exception"]


TARGETS = {
    "users": "unauthenticated",
    "channels": "no_such_channel",
    "documents": "no_such_document",
    "templates": "no_such_template",
    "template_labels": "no_such_template",
    "batch_jobs": "no_such_batch_job",
    "document_contents": None,
}
OURS = """
    SELECT conname, confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND conrelid::regclass::text IN (
        'documents', 'page_texts', 'annotations', 'templates', 'template_labels', 'template_anchors', 'batch_jobs',
        'batch_items'
    )
"""


def test_what_a_reference_refers_to_decides_the_refusal(service: Service) -> None:
    found = {name: (target, errors.just_deleted(name)) for name, target in service.rows(OURS)}
    codes = {name: None if refusal is None else refusal.code for name, (_, refusal) in found.items()}
    assert codes == {name: TARGETS[target] for name, (target, _) in found.items()}
    assert {target for target, _ in found.values()} == set(TARGETS)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_unknown_reference_that_is_violated_is_a_logged_failure(
    service: Service, person: Person, document: dict[str, Any], method: str
) -> None:
    path = f"documents/{document['id']}/"
    with service.database() as connection:
        connection.execute("CREATE TABLE elsewhere (document_id bigint REFERENCES documents, page integer UNIQUE)")
        try:
            if method == "DELETE":
                connection.execute("INSERT INTO elsewhere (document_id) VALUES (%s)", (document["id"],))
                response = person.call("DELETE", path)
            else:
                connection.execute(
                    "ALTER TABLE annotations ADD FOREIGN KEY (page) REFERENCES elsewhere (page) NOT VALID"
                )
                body = {"bounding_box": {"x": 0, "y": 0, "width": 1, "height": 1}, "label_type": "a", "label_name": "b"}
                response = person.post(path + "annotations/", json=body)
        finally:
            connection.execute("DROP TABLE elsewhere CASCADE")
    failure = refusal(response, 500, "internal_error")
    (entry,) = service.wait_for_entries("the failure", request_id=failure["request_id"])
    assert entry["level"] == "error"
    assert "violates foreign key constraint" in entry["exception"]


@pytest.mark.parametrize(
    ("table", "code", "status"), [("users", "unauthenticated", 401), ("templates", "no_such_template", 404)]
)
def test_row_that_is_deleted_while_a_job_is_made_is_named(
    service: Service, person: Person, channel: int, document: dict[str, Any], table: str, code: str, status: int
) -> None:
    template = person.post("templates/", json={"channel_id": channel, "name": "T"}).json()["id"]
    gone = {"users": person.id, "templates": template}[table]
    body = {"channel_id": channel, "template_id": template, "document_ids": [document["id"]]}
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as other:
        with service.database() as connection, connection.transaction():
            connection.execute(f"DELETE FROM {table} WHERE id = %s", (gone,))
            answer = other.submit(person.post, "batch/", json=body)
            wait_until(lambda: service.rows(waiting) != [], "the job waits for the deletion")
        refusal(answer.result(), status, code)
