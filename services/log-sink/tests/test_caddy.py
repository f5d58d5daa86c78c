from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from log_sink.entries import build

Make = Callable[..., dict[str, Any]]


def translated(raw: dict[str, Any]) -> dict[str, Any]:
    return json.loads(build(raw, "caddy", "error"))


def test_the_message_of_an_access_entry(access: Make) -> None:
    entry = translated(
        access(502, "/channels/?token=hunter2", error="dial tcp 127.0.0.1:1: connect: connection refused")
    )
    assert entry["message"] == "502 GET /channels/ — dial tcp 127.0.0.1:1: connect: connection refused"
    assert entry["logger"] == "http.log.access.log0"
    assert entry["request_id"] == "3f1c3f6c9d8b"
    assert entry["fields"]["status"] == 502
    assert entry["fields"]["remote_ip"] == "127.0.0.1"


def test_a_long_address_is_shortened(access: Make) -> None:
    entry = translated(access(502, "/" + "a" * 30_000))
    assert len(entry["fields"]["uri"]) == 2000
    assert entry["message"].endswith("a…")


def test_headers_are_left_out(access: Make) -> None:
    assert "hunter2" not in json.dumps(translated(access(502, "/x?token=hunter2")))


def test_an_appended_request_id_wins(access: Make) -> None:
    assert translated(access(request_id="appended1"))["request_id"] == "appended1"


def test_error_log_entry_keeps_its_cause(access: Make) -> None:
    entry = translated(
        access(logger="http.log.error", msg="dial tcp: refused", err_id="abc", err_trace="reverseproxy.go:1")
    )
    assert entry["message"] == "502 GET /channels/ — dial tcp: refused"
    assert entry["fields"]["err_id"] == "abc"


def test_other_entries_keep_their_message() -> None:
    raw = {"level": "error", "ts": 1.0, "logger": "tls.obtain", "msg": "will retry", "error": "timeout", "attempt": 3}
    entry = translated(raw)
    assert entry["message"] == "will retry — timeout"
    assert entry["fields"] == {"attempt": 3}


def test_malformed_entries_raise_nothing() -> None:
    for request in (None, [], "x", {"headers": []}, {"headers": {"X-Request-Id": []}}, {"uri": 7}):
        translated({"msg": "m", "status": 502, "logger": "http.log.access", "request": request})
