"""The writers of a drill repeat with a key, wait as they are told, and note each answer that breaks the contract."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from plumbline.verification.drills.clients import Account, Uploader, Writer
from plumbline.verification.drills.seen import Ledger

CHANNEL = 7
PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "database_away",
           "detail": "try again", "request_id": "r1"}  # fmt: skip
HEADERS = {"Content-Type": "application/problem+json", "X-Request-Id": "r1", "Retry-After": "0.01"}
Answer = tuple[int, dict[str, str], bytes]


def problem(**changed: Any) -> bytes:
    return json.dumps(PROBLEM | changed).encode()


class Door:
    """A front door that answers writes with prepared answers, then with 201, and notes keys and tokens."""

    def __init__(self) -> None:
        self.prepared: list[Answer | None] = []
        self.keys: list[str | None] = []
        self.tokens: list[str | None] = []
        door, logins = self, iter(range(1, 100))

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/auth/login":
                    self.answer(200, {}, json.dumps({"access_token": f"token {next(logins)}"}).encode())
                    return
                if not self.path.startswith("/auth/"):
                    door.keys.append(self.headers["Idempotency-Key"])
                    door.tokens.append(self.headers["Authorization"])
                    if door.prepared:
                        if (prepared := door.prepared.pop(0)) is not None:
                            self.answer(*prepared)
                        self.close_connection = True
                        return
                self.answer(201, {}, b'{"id": 1}')

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def written(door: Door, *prepared: Answer | None, uploads: bool = False) -> Ledger:
    """Let a writer write once, and be answered so."""
    door.prepared[:] = prepared
    ledger = Ledger()
    account = Account(door, "anna")  # type: ignore[arg-type]
    if uploads:
        writer: Writer = Uploader(ledger, account, CHANNEL, 0, b"%PDF")
    else:
        writer = Writer(ledger, account, CHANNEL, 0)
    writer.end()  # no loop: one write
    writer._write()
    return ledger


def test_a_refused_write_is_repeated_with_its_key_as_told(door: Door) -> None:
    ledger = written(
        door, (503, HEADERS, problem()), (409, HEADERS, problem(status=409, code="key_in_use", title="Conflict"))
    )
    assert len(set(door.keys)) == 1
    assert len(door.keys) == 3
    assert [(one.kind, one.id, one.channel) for one in ledger.writes] == [("message", 1, CHANNEL)]
    assert [(one.status, one.code, one.unclear) for one in ledger.refusals] == [
        (503, "database_away", ""), (409, "key_in_use", "")
    ]  # fmt: skip


def test_a_write_without_an_answer_is_repeated_with_its_key(door: Door) -> None:
    ledger = written(door, None)
    assert len(ledger.unanswered) == 1
    assert len(set(door.keys)) == 1
    assert len(ledger.writes) == 1


def test_an_ended_session_is_renewed_and_the_write_repeated_with_its_key(door: Door) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "Retry-After"}
    ledger = written(door, (401, headers, problem(status=401, code="unauthenticated", title="Unauthorized")))
    assert door.tokens == ["Bearer token 1", "Bearer token 2"]
    assert len(set(door.keys)) == 1
    assert len(ledger.writes) == 1


def test_an_uploader_also_annotates_under_another_key(door: Door) -> None:
    ledger = written(door, uploads=True)
    assert [one.kind for one in ledger.writes] == ["document", "annotation"]
    assert len(set(door.keys)) == 2


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((503, HEADERS, problem(detail="Traceback (most recent call last)")), "Traceback"),
        ((503, {**HEADERS, "Content-Type": "text/html"}, b"<h1>Traceback</h1>"), "text/html"),
        ((503, {name: value for name, value in HEADERS.items() if name != "Retry-After"}, problem()), "no Retry-After"),
        ((502, HEADERS, problem()), "503"),
        ((503, HEADERS, problem(code="something_else")), "something_else"),
        ((503, HEADERS, b'{"detail": "no"}'), "type"),
    ],
    ids=["traceback", "page", "no time to wait", "another status", "unknown code", "no problem document"],
)
def test_an_answer_that_breaks_the_contract_is_noted(door: Door, answer: Answer, found: str) -> None:
    (refusal,) = written(door, answer).refusals
    assert found in refusal.unclear


def test_a_write_that_is_refused_for_good_is_given_up(door: Door) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "Retry-After"}
    ledger = written(door, (403, headers, problem(status=403, code="not_a_member", title="Forbidden")))
    assert ledger.writes == []
    assert ledger.given_up[0].startswith("message: answered 403")
