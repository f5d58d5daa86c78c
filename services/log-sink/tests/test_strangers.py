"""Only Caddy's requests and datagrams are accepted: other users of the machine can reach the sink's ports, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from log_sink.buffer import UNKNOWN, Buffer, Cell
from log_sink.intake import Intake
from log_sink.udp import without_secret
from servicekit.inside import InternalSecret

from plumbline.verification.throwaway import INTERNAL_SECRET, wait_until

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("path", ["/logs/entries", "/logs/stats", "/logs/stream", "/logs/", "/ingest", "/nothing"])
@pytest.mark.parametrize("headers", [{}, {"X-Plumbline-Internal": "guessed"}, {"X-Operator": "operator"}])
def test_requests_without_the_secret_read_and_write_nothing(
    idle_sink: Any, entry: Make, path: str, headers: dict[str, str]
) -> None:
    method = "POST" if path == "/ingest" else "GET"
    answer = requests.request(method, idle_sink.url + path, headers=headers, json=entry("forged"), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (403, "front_door_only")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert idle_sink.received() == 0


@pytest.mark.parametrize("path", ["/logs/health", "/logs/health/live"])
def test_health_needs_no_secret(idle_sink: Any, path: str) -> None:
    assert requests.get(idle_sink.url + path, timeout=10).status_code == 200


def test_forged_datagrams_are_counted_and_not_shown(sink: Any, access: Make) -> None:
    forged = json.dumps(access(502, "/forged")).encode()
    guessed = forged.removesuffix(b"}") + b',"plumbline_key":"guessed"}'
    sink.unkeyed_datagram(forged, guessed, b"", *[forged] * 40)
    sink.datagram(json.dumps(access(502, "/real")).encode())
    wait_until(lambda: sink.stats()["dropped"] == 43, "forged datagrams are counted")
    assert sink.messages() == ["502 GET /real"]
    (told,) = sink.kept(service="log-sink")
    assert "internal secret" in told["message"]


def test_the_secret_is_neither_kept_nor_shown(sink: Any, access: Make, empty_redis: Any) -> None:
    long_one = {"level": "warn", "logger": "tls", "msg": "x" * 60_000}
    sink.datagram(*(json.dumps(one).encode() for one in (access(502, "/real"), long_one)))
    wait_until(lambda: len(sink.messages()) == 2, "both entries arrive")
    kept = [*empty_redis.xrange("logs:recent"), sink.kept(), sink.log.read_text()]
    assert "plumbline_key" not in str(kept)
    assert INTERNAL_SECRET not in str(kept)


@pytest.fixture
def secret(tmp_path: Any) -> InternalSecret:
    (tmp_path / "odd").write_text('a "secret" with \\ and ü')
    return InternalSecret(tmp_path / "odd")


def test_a_key_is_removed_at_any_place_and_with_any_value(secret: InternalSecret) -> None:
    key = ',"plumbline_key":"a \\"secret\\" with \\\\ and ü"'
    for place in ('{"level":"warn"%s}', '{"level":"warn"%s,"stack":"main.go"}\n'):
        entry = without_secret((place % key).encode(), secret)
        assert entry == (place % "").encode()
        json.loads(entry)


@pytest.mark.parametrize(
    "forged",
    [
        b'{"level":"warn"}',
        b'{"level":"warn","plumbline_key":"other"}',
        b'{"level":"warn","plumbline_key":null}',
        b'{"level":"warn","msg":",\\"plumbline_key\\":\\"a \\\\\\"secret\\\\\\" with \\\\\\\\ and"}',
        b'{"level":"warn","plumbline_key":"\\x"}',
        b'{"level":"warn","plumbline_key":"',
        b"",
    ],
)
def test_a_datagram_without_the_key_is_refused(secret: InternalSecret, forged: bytes) -> None:
    assert without_secret(forged, secret) is None


def test_many_forged_datagrams_are_one_warning_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((1000.0, 1001.0, 1059.0, 1060.0))
    monkeypatch.setattr("log_sink.intake.time.monotonic", lambda: next(times))
    buffer = Buffer()
    intake = Intake(buffer)
    for _ in range(4):
        intake.refused(5)
    assert [record.fields["datagrams"] for record in caplog.records] == [5, 15]
    assert buffer.take_now().dropped == {Cell(UNKNOWN, UNKNOWN): 20}
