from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from log_sink.buffer import Batch, Buffer, Cell
from log_sink.intake import KINDS_MAX, LINE_MAX, SERVICES_MAX, Intake

Make = Callable[..., dict[str, Any]]
CADDY_ERROR = Cell("caddy", "error")


def fed(*lines: dict[str, Any] | bytes) -> Batch:
    buffer = Buffer()
    Intake(buffer).feed([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines], "test")
    return buffer.take_now()


def counts(batch: Batch) -> dict[str, int]:
    return {kind: some.count for (_, kind), some in batch.faults.items()}


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("warning", "warning"),
        ("warn", "warning"),
        ("WARN", "warning"),
        ("error", "error"),
        ("critical", "critical"),
        ("fatal", "critical"),
        ("panic", "critical"),
        ("dpanic", "critical"),
    ],
)
def test_levels_have_one_name(entry: Make, level: str, kept: str) -> None:
    assert fed(entry("m", level=level)).arrived == {Cell("backend", kept): 1}


@pytest.mark.parametrize("level", ["info", "debug", "INFO", "trace"])
def test_lower_levels_are_not_even_received(entry: Make, level: str) -> None:
    batch = fed(entry("m", level=level), {"level": level, "msg": "caddy's"})
    assert not batch.arrived
    assert not batch.dropped


def test_caddys_5xx_are_errors_and_4xx_are_not(access: Make) -> None:
    batch = fed(*(access(status) for status in (200, 404, 422, 499, 500, 502, 503)))
    assert batch.arrived == {CADDY_ERROR: 3}


def aborted(uri: str, error: str) -> dict[str, Any]:
    return {
        "level": "warn", "ts": 1763845137.1, "logger": "http.handlers.reverse_proxy", "upstream": "127.0.0.1:8003",
        "msg": "aborting with incomplete response", "request": {"method": "GET", "uri": uri}, "error": error,
    }  # fmt: skip


def test_a_client_that_disconnects_is_not_recorded() -> None:
    batch = fed(*[aborted("/logs/stream?after=0", "reading: context canceled")] * 3)
    assert not batch.arrived
    assert not batch.dropped


@pytest.mark.parametrize(
    "error",
    [
        "context canceled",
        "writing: write tcp 127.0.0.1:8080->127.0.0.1:50000: write: broken pipe",
        "writing: write tcp 127.0.0.1:8080->127.0.0.1:50000: write: connection reset by peer",
        "http2: stream closed",
    ],
)
def test_every_go_error_of_a_disconnected_client_is_left_out(error: str) -> None:
    batch = fed(aborted("/channels/", error))
    assert (batch.arrived, batch.dropped) == ({}, {})


def test_a_failed_request_of_a_disconnected_client_is_no_error(access: Make) -> None:
    assert not fed(access(502, error="context canceled")).arrived
    assert fed(access(502, error="unexpected EOF")).arrived == {CADDY_ERROR: 1}


@pytest.mark.parametrize(
    "error",
    [
        "dial tcp 127.0.0.1:8001: connect: connection refused",
        "reading: unexpected EOF",
        "read tcp 127.0.0.1:40000->127.0.0.1:8001: read: connection reset by peer",
        "dial tcp 127.0.0.1:8001: i/o timeout",
        "write tcp 127.0.0.1:40000->127.0.0.1:8001: write: broken pipe",
    ],
)
def test_a_service_that_is_gone_is_a_warning(error: str) -> None:
    assert fed(aborted("/channels/", error)).arrived == {Cell("caddy", "warning"): 1}


def test_live_tails_that_break_with_the_sink_are_one_entry() -> None:
    batch = fed(*[aborted("/logs/stream?after=0", "reading: unexpected EOF")] * 30)
    assert counts(batch) == {"request.http.handlers.reverse_proxy.log-sink": 30}
    assert not batch.entries
    others = fed(*[aborted("/channels/", "reading: unexpected EOF")] * 3)
    assert counts(others) == {"request.http.handlers.reverse_proxy.backend": 3}


def test_a_status_of_many_requests_is_counted_by_service(access: Make) -> None:
    batch = fed(
        *[access(501, f"/data-processor/documents/{number}/ocr") for number in range(210)],
        *[access(502, f"/channels/{number}?x={number}") for number in range(30)],
        access(502, "/data-processor/templates/"),
    )
    assert counts(batch) == {
        "request.501.data-processor": 210,
        "request.502.backend": 30,
        "request.502.data-processor": 1,
    }
    assert batch.superseded() == {}


def test_faults_of_services_are_counted_by_kind_and_supersede_nothing(entry: Make) -> None:
    bad = [entry(f"bad {number}", kind="client.bad_token", count=3) for number in range(250)]
    batch = fed(entry("mine"), *bad)
    assert counts(batch) == {"client.bad_token": 750}
    assert [raw["message"] for _, raw in batch.entries] == ["mine"]
    assert batch.arrived == {Cell("backend", "warning"): 751}


@pytest.mark.parametrize(
    "kind", ["bad_token", "client.", "client.a b", "client.a|b", "other.a", "client." + "a" * 101, 7, None, []]
)
def test_an_invalid_kind_becomes_an_ordinary_entry(entry: Make, kind: object) -> None:
    batch = fed(entry("m", kind=kind))
    assert (counts(batch), len(batch.entries)) == ({}, 1)


@pytest.mark.parametrize("count", [0, -1, True, "7", 1.5, None, 10**12])
def test_an_invalid_count_is_one(entry: Make, count: object) -> None:
    assert counts(fed(entry("m", kind="client.bad_token", count=count))) == {"client.bad_token": 1}


def test_the_number_of_kinds_is_limited(entry: Make) -> None:
    batch = fed(*(entry("m", kind=f"client.kind_{number}") for number in range(500)))
    assert len(batch.faults) == KINDS_MAX + 1
    assert counts(batch)["client.other"] == 500 - KINDS_MAX


def test_caddys_other_warnings_are_kept() -> None:
    batch = fed({"level": "warn", "ts": 1.0, "logger": "tls", "msg": "certificate expires soon"})
    assert batch.arrived == {Cell("caddy", "warning"): 1}


@pytest.mark.parametrize(
    "line", [b"rubbish", b"[]", b"7", b'"text"', b'{"message":"no level"}', b'{"level":7}', b'{"level":"loud"}']
)
def test_unreadable_lines_are_counted(line: bytes) -> None:
    batch = fed(line, line)
    assert not batch.arrived
    assert batch.dropped == {Cell("unknown", "unknown"): 2}


def test_many_unreadable_lines_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    intake = Intake(Buffer())
    for _ in range(50):
        intake.feed([b"rubbish"], "test")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_empty_lines_are_ignored() -> None:
    batch = fed(b"", b"  ", b"\r")
    assert not batch.dropped


def test_only_the_newest_are_kept_and_the_others_are_counted(entry: Make) -> None:
    batch = fed(*(entry(f"m{number}", service=f"s{number % 2}") for number in range(1001)))
    assert [raw["message"] for _, raw in batch.entries] == [f"m{n}" for n in range(801, 1001)]
    assert batch.superseded() == {Cell("s0", "warning"): 401, Cell("s1", "warning"): 400}


def test_service_names_are_limited(entry: Make) -> None:
    batch = fed(
        *(entry("m", service=f"name-{number}") for number in range(500)),
        entry("m", service="a|b"),
        entry("m", service=[]),
    )
    names = {cell.service for cell in batch.arrived}
    assert len(names) <= SERVICES_MAX + 2
    assert "other" in names
    assert batch.arrived[Cell("unknown", "warning")] == 2


def test_caddys_trouble_with_the_recorder_is_one_entry(access: Make) -> None:
    batch = fed(*[access(502, "/logs/stream?after=0"), access(502, "/ingest"), access(502, "/logs/")] * 100)
    assert counts(batch) == {"request.502.log-sink": 300}
    assert not batch.entries


def test_a_huge_line_does_not_wait_in_memory(entry: Make) -> None:
    ((_, raw),) = fed(entry("m" * 10 * LINE_MAX)).entries
    assert len(json.dumps(raw)) < LINE_MAX
    assert raw["truncated"] is True


def test_losses_are_counted_under_their_source() -> None:
    buffer = Buffer()
    intake = Intake(buffer)
    intake.lost("backend", "warning", 3)
    intake.lost("backend", "nonsense", 2)
    intake.lost("backend", "error", 0)
    assert buffer.take_now().dropped == {Cell("backend", "warning"): 3, Cell("backend", "unknown"): 2}
