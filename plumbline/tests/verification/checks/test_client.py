"""Expectations of answers, and their failure messages."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from plumbline import net
from plumbline.verification.checks.client import Answer

PROBLEM = {
    "type": "about:blank", "title": "Not Found", "status": 404, "code": "no_such_channel",
    "detail": "There is no channel 7.", "request_id": "r-1",
}  # fmt: skip


@pytest.fixture
def answer():
    """Return a function that gets an Answer with this content from a real server."""
    servers = []

    def get(status, body, content_type="application/problem+json", request_id="r-1"):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": content_type, "Content-Length": len(data), "X-Request-Id": request_id,
                }.items():  # fmt: skip
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with net.direct_session() as http:
            return Answer(http.get(f"http://127.0.0.1:{server.server_address[1]}/x"))

    yield get
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_expected_answer_is_returned_as_json(answer):
    assert answer(200, {"a": 1}, "application/json").expect(200) == {"a": 1}
    assert answer(204, b"").expect(204) is None
    assert answer(200, b"<html>", "text/html").expect(200) is None


def test_json_that_cannot_be_read_is_shown(answer):
    with pytest.raises(AssertionError, match=r"200 with JSON that cannot be read: b'\{\"a\": '"):
        answer(200, b'{"a": ', "application/json").expect(200)


def test_an_unexpected_status_fails_with_call_and_body(answer):
    with pytest.raises(AssertionError, match=r"GET http://127\.0\.0\.1:\d+/x: expected 200, got 500: .*boom"):
        answer(500, b"boom").expect(200)


def test_a_valid_problem_document_passes(answer):
    assert answer(404, PROBLEM).expect_problem(404) == PROBLEM


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": "application/json"},
        {"body": {name: value for name, value in PROBLEM.items() if name != "code"}},
        {"body": PROBLEM | {"status": 400}},
        {"body": PROBLEM | {"detail": ""}},
        {"body": PROBLEM | {"request_id": "another"}},
        {"body": PROBLEM | {"detail": "Traceback (most recent call last)"}},
        {"status": 400},
    ],
    ids=str,
)
def test_an_invalid_problem_document_fails(answer, changes):
    with pytest.raises(AssertionError):
        answer(**({"status": 404, "body": PROBLEM} | changes)).expect_problem(404)
