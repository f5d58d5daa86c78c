"""Headers of every answer, from every component and with every status.

Protects from answers that browsers cache, guess the type of, or cannot be traced to a request.
"""

from __future__ import annotations

import pytest

from plumbline import net
from plumbline.stack import Stack
from plumbline.verification.checks import samples
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.created import PREFIX


def test_answers_to_sessions_have_no_store_and_nosniff(alice: User) -> None:
    channel = alice.create_channel()
    document = alice.upload(channel["id"], f"{PREFIX}page.png", samples.png()).expect(201)
    answers = [
        alice.get("/auth/me"),
        alice.get("/channels/"),
        alice.post("/channels/", {}),
        alice.put("/channels/", {}),
        alice.get("/auth/nowhere"),
        alice.get("/data-processor/templates/"),
        alice.get("/data-processor/nowhere"),
        alice.get(f"/data-processor/documents/{document['id']}/content"),
        alice.get("/logs/entries"),
        alice.get("/nowhere"),
        alice.login(),
        alice.call("POST", "/channels/", data=b"x" * 70_000),
        alice.call("POST", "/channels/", data=b"x" * 1_200_000),
    ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store", answer.body[:300]
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer.body[:300]
    assert [answer.status for answer in answers] == [200, 200, 422, 405, 404, 200, 404, 200, 403, 404, 200, 413, 413]


_OPEN = ("/health", "/openapi.json", "/data-processor/openapi.json", "/logs", "/logs/login", "/logs/health")


@pytest.mark.parametrize("path", [*_OPEN, "/", "/nowhere"])
def test_answers_without_a_session_have_nosniff(stack: Stack, path: str) -> None:
    with net.direct_session() as session:
        answer = session.get(stack.base_url + path, timeout=TIMEOUT_S, allow_redirects=False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/channels/", "GET, HEAD, POST"),
        ("/auth/me", "DELETE, GET, HEAD"),
        ("/data-processor/documents/", "GET, HEAD, POST"),
        ("/logs/login", "GET, HEAD"),
    ],
)
def test_allow_names_every_method(alice: User, path: str, methods: str) -> None:
    answer = alice.put(path, {})
    assert answer.expect_problem(405)["code"] == "method_not_allowed"
    assert sorted(answer.headers["Allow"].split(", ")) == methods.split(", ")


def test_a_body_that_is_too_large_fails_no_other_request(stack: Stack) -> None:
    with net.direct_session() as session:
        for _ in range(3):
            refused = Answer(session.post(f"{stack.base_url}/channels/", data=b"x" * 1_200_000, timeout=TIMEOUT_S))
            assert refused.expect_problem(413)["code"] == "body_too_large"
            assert refused.headers["Connection"] == "close"
            assert session.get(f"{stack.base_url}/health/live", timeout=TIMEOUT_S).status_code == 200
