"""A running sink, from outside: its input, its output, and failures of its environment."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from log_sink.store import LISTENED
from servicekit.facts import LOG_CAP, LOG_STREAM

from plumbline.verification.throwaway import RedisServer, wait_until

Make = Callable[..., dict[str, Any]]


def counters_balance(shown: dict[str, Any]) -> bool:
    return shown["received"] == shown["kept"] + shown["superseded"] + shown["dropped"]


def test_entries_of_services_and_of_caddy_arrive(sink: Any, entry: Make, access: Make) -> None:
    assert sink.post(entry("from a service", request_id="abc12345"), entry("too low", level="info")).status_code == 204
    sink.datagram(json.dumps(access(503)).encode(), json.dumps(access(200)).encode(), json.dumps(access(404)).encode())
    sink.datagram(json.dumps(access(502)).encode())
    wait_until(lambda: sink.received() == 3, "three entries arrive")
    shown = {entry["message"]: entry for entry in sink.kept() if entry["service"] != "log-sink"}
    assert shown.keys() == {"from a service", *(f"{status} GET /channels/" for status in (502, 503))}
    assert shown["from a service"]["service"] == "backend"
    assert shown["from a service"]["request_id"] == "abc12345"
    assert shown["502 GET /channels/"]["service"] == "caddy"
    assert shown["502 GET /channels/"]["level"] == "error"
    assert shown["502 GET /channels/"]["request_id"] == "3f1c3f6c9d8b"


def test_newest_first_and_filters(sink: Any, entry: Make) -> None:
    sink.post(*(entry(f"m{n}", level=("warning", "error")[n % 2], request_id=f"r{n % 3}") for n in range(10)))
    wait_until(lambda: sink.stats()["kept"] == 10, "ten entries arrive")
    assert sink.messages() == [f"m{n}" for n in range(9, -1, -1)]
    assert sink.messages(level="error") == ["m9", "m7", "m5", "m3", "m1"]
    assert sink.messages(level="error", request_id="r0", limit="1") == ["m9"]
    assert sink.messages(service="caddy") == []
    assert sink.messages(q="M4") == ["m4"]


@pytest.mark.parametrize("query", ["level=info", "limit=0", "limit=x", "nonsense=1", "q=" + "x" * 300])
@pytest.mark.parametrize("path", ["/logs/entries", "/logs/stream"])
def test_bad_queries_are_refused(idle_sink: Any, path: str, query: str) -> None:
    answer = idle_sink.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]


@pytest.mark.parametrize("after", ["x", "1-2-3", "-", "1e3", "9" * 50])
def test_an_invalid_position_is_refused(idle_sink: Any, after: str) -> None:
    assert idle_sink.get("/logs/stream", params={"after": after}).status_code == 422
    assert idle_sink.get("/logs/stream", headers={"Last-Event-ID": after}).status_code == 422


def test_unknown_paths_and_methods_are_problems(idle_sink: Any) -> None:
    assert idle_sink.get("/logs/nothing").json()["code"] == "no_such_address"
    assert idle_sink.get("/ingest").json()["code"] == "method_not_allowed"


def test_unreadable_lines_are_counted_and_reported_once(sink: Any, entry: Make) -> None:
    assert sink.post(b"rubbish", b"\xff\xfe", b"[]", entry("good")).status_code == 204
    sink.datagram(b"more rubbish")
    wait_until(lambda: sink.stats()["dropped"] == 4, "bad lines are counted")
    told = sink.kept(service="log-sink")
    assert [entry["fields"]["bad_lines"] for entry in told] == [3]
    assert counters_balance(sink.stats())


def test_a_body_that_is_too_large_is_refused(start_sink: Any, entry: Make) -> None:
    sink = start_sink(ingest_body_max=2000)
    assert sink.post(entry("m" * 3000)).status_code == 413
    assert sink.post(entry("fits")).status_code == 204
    wait_until(lambda: sink.messages() == ["fits"], "the small one arrives")


def test_losses_of_forwarders_are_counted(sink: Any, entry: Make) -> None:
    header = {"Plumbline-Dropped": "backend;level=warning;count=7, data-processor;level=error;count=2, rubbish"}
    sink.post(entry("m"), headers=header)
    wait_until(lambda: sink.stats()["dropped"] == 9, "losses are counted")
    shown = sink.stats()
    assert shown["by_service"]["backend"] == {"received": 8, "kept": 1, "superseded": 0, "dropped": 7}
    assert shown["by_level"]["error"]["dropped"] == 2
    assert counters_balance(shown)


def test_entries_that_a_forwarder_superseded_are_counted(sink: Any, entry: Make) -> None:
    header = {"Plumbline-Superseded": "backend;level=warning;count=7, backend;level=error;count=2"}
    sink.post(entry("m"), headers=header)
    wait_until(lambda: sink.received() == 10, "all are counted")
    shown = sink.stats()
    assert shown["by_service"]["backend"] == {"received": 10, "kept": 1, "superseded": 9, "dropped": 0}
    assert shown["by_level"]["error"] == {"received": 2, "kept": 0, "superseded": 2, "dropped": 0}
    assert counters_balance(shown)


def test_a_repeated_batch_is_counted_once(sink: Any, entry: Make) -> None:
    sender = "0123456789abcdef" * 2
    losses = {"Plumbline-Dropped": "backend;level=warning;count=5", "Plumbline-Superseded": "x;level=error;count=3"}
    for number in ("1", "1", "2"):
        headers = {"Plumbline-Batch": f"{sender}-{number}", **(losses if number == "1" else {})}
        assert sink.post(entry(f"batch {number}"), headers=headers).status_code == 204
    assert sink.post(entry("of another"), headers={"Plumbline-Batch": f"{sender[::-1]}-1"}).status_code == 204
    wait_until(lambda: "of another" in sink.messages(), "the last one arrives")
    assert sink.messages() == ["of another", "batch 2", "batch 1"]
    assert (sink.stats()["received"], sink.stats()["dropped"]) == (11, 5)


def test_at_no_instant_more_than_the_cap_with_two_sinks(start_sink: Any, empty_redis: redis.Redis, entry: Make) -> None:
    sinks = [start_sink(), start_sink()]
    each = 20_000
    done = threading.Event()

    def flood(sink: Any, name: str) -> None:
        sink.flood(*(entry(f"{name}{n}", service=name) for n in range(each)))

    def sample() -> tuple[int, int]:
        largest = samples = 0
        while not done.is_set():
            largest, samples = max(largest, empty_redis.xlen(LOG_STREAM)), samples + 1
        return largest, samples

    with ThreadPoolExecutor(3) as pool:
        sampled = pool.submit(sample)
        floods = [pool.submit(flood, sink, name) for sink, name in zip(sinks, "ab", strict=True)]
        for each_flood in floods:
            each_flood.result()
        wait_until(lambda: sinks[0].received() == 2 * each, "both floods are in")
        done.set()
        largest, samples = sampled.result()
    assert largest == LOG_CAP
    assert samples > 100
    shown = sinks[1].stats()
    assert counters_balance(shown)
    for name in "ab":
        assert shown["by_service"][name]["received"] == each
        numbers = [int(message[1:]) for message in sinks[0].messages(service=name)]
        # The newest of each, in order of arrival, none missing in between.
        assert numbers == list(range(each - 1, each - 1 - len(numbers), -1))


def test_redis_away_then_back(sink: Any, redis_server: RedisServer, entry: Make) -> None:
    sink.post(entry("before"))
    wait_until(lambda: sink.messages() == ["before"], "an entry arrives")
    since = sink.stats()["since"]
    redis_server.stop()
    try:
        for path in ("/logs/entries", "/logs/stats"):
            answer = sink.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
            assert answer.headers["Retry-After"]
        assert sink.get("/logs/health").status_code == 503
        assert "Redis" in sink.get("/logs/health").json()["reason"]
        assert sink.get("/logs/health/live").status_code == 200
        for start in range(0, 3000, 100):
            assert sink.post(*(entry(f"m{n}") for n in range(start, start + 100))).status_code == 204
    finally:
        redis_server.start()
    wait_until(lambda: sink.get("/logs/health").ok and sink.received() >= 3000, "entries come in after the outage")
    wait_until(lambda: "accepts entries again" in sink.kept(service="log-sink")[0]["message"], "the sink reports it")
    shown = sink.stats()
    assert shown["since"] > since
    assert shown["by_service"]["backend"]["received"] == 3000
    assert counters_balance(shown)
    kept = sink.messages(service="backend")
    assert kept == [f"m{n}" for n in range(2999, 2999 - len(kept), -1)]
    assert len(kept) >= LOG_CAP - 5


def test_a_redis_that_hangs_blocks_no_request(sink: Any, redis_server: RedisServer, entry: Make) -> None:
    sink.post(entry("before"))
    wait_until(lambda: sink.messages() == ["before"], "an entry arrives")
    assert redis_server._process is not None
    redis_server._process.send_signal(signal.SIGSTOP)
    try:
        assert sink.post(entry("during")).status_code == 204
        assert [sink.get(f"/logs/{path}").status_code for path in ("health", "entries", "stats")] == [503] * 3
        assert sink.get("/logs/health/live").status_code == 200
    finally:
        redis_server._process.send_signal(signal.SIGCONT)
    wait_until(lambda: sink.messages(service="backend") == ["during", "before"], "it arrives once Redis goes on")
    shown = sink.stats()
    assert shown["by_service"]["backend"]["received"] == 2
    assert counters_balance(shown)


def test_datagrams_that_the_kernel_drops_are_counted(sink: Any, entry: Make) -> None:
    # The worker is stopped while more arrives than the socket's buffer can hold.
    payload = json.dumps(entry("m" * 3000, service="caddy")).encode()
    count = 60_000
    worker = sink.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        sink.datagram(*[payload] * count)
    finally:
        os.kill(worker, signal.SIGCONT)
    wait_until(lambda: sink.received() == count, "every datagram is accounted for")
    shown = sink.stats()
    assert shown["dropped"] > 0
    assert shown["by_service"]["caddy"]["dropped"] == shown["dropped"]
    assert counters_balance(shown)


@pytest.mark.parametrize(("ago_s", "told"), [(42, 1), (-60, 0), (None, 0)])
def test_a_sink_reports_how_long_none_was_listening(
    start_sink: Any, empty_redis: redis.Redis, entry: Make, ago_s: int | None, told: int
) -> None:
    if ago_s is not None:
        # "Just now" is in the future, because a sink takes seconds to start on a busy machine.
        empty_redis.set(LISTENED, time.time() - ago_s)
    sink = start_sink()
    wait_until(lambda: abs(time.time() - float(empty_redis.get(LISTENED) or 0)) < 0.5, "it stores that it listens")
    sink.post(entry("later"))
    wait_until(lambda: "later" in sink.messages(), "a later entry arrives")
    said = [one["message"] for one in sink.kept(service="log-sink") if "no sink received" in one["message"]]
    assert len(said) == told
    assert all("4" in one for one in said)


def test_its_own_warnings_do_not_cause_more_warnings(sink: Any, redis_server: RedisServer, access: Make) -> None:
    """Caddy reports many 502s of the recorder's own routes and Redis is interrupted: this makes few entries."""
    for _ in range(3):
        redis_server.stop()
        sink.datagram(*[json.dumps(access(502, "/logs/stream?after=0")).encode()] * 500)
        sink.post(*[b"rubbish"] * 500)
        redis_server.start()
        wait_until(lambda: sink.get("/logs/health").ok, "Redis is back")
    wait_until(lambda: sink.stats()["received"] >= 990, "it is all in")
    shown = sink.stats()
    assert shown["kept"] < 20
    assert sink.log.read_text().count("\n") < 40
    assert counters_balance(shown)


def test_the_last_entries_are_written_when_it_ends(sink: Any, empty_redis: redis.Redis, entry: Make) -> None:
    with sink.stream(params={"after": "0"}) as stream:
        stream.next()
        sink.flood(*(entry(f"m{n}") for n in range(30_000)))
        assert sink.stop() == 0
    newest = empty_redis.xrevrange(LOG_STREAM, count=1)[0][1]
    assert json.loads(newest[b"entry"])["message"] == "m29999"


def test_settings_that_cannot_work_end_it_with_one_sentence(start_sink: Any) -> None:
    sink = start_sink(wait=False, ingest_port="none")
    assert sink.process.wait(15) == 78
    assert sink.log.read_text().count("\n") == 1
    assert "PLUMBLINE_INGEST_PORT" in sink.log.read_text()


def test_a_taken_port_ends_it_with_one_sentence(start_sink: Any) -> None:
    first = start_sink()
    second = start_sink(wait=False, ingest_port=first.ingest_port)
    assert second.process.wait(15) == 1
    assert second.log.read_text().count("\n") == 1
    assert str(first.ingest_port) in second.log.read_text()
