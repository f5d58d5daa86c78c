"""The live tail: no unreported gap and no repeat, in all conditions."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from log_sink.hub import Hub, Position
from log_sink.store import Kept
from servicekit.facts import INTERNAL_HEADER, OPERATORS_KEY

from plumbline.verification.throwaway import INTERNAL_SECRET, RedisServer, wait_until

Make = Callable[..., dict[str, Any]]


def named(message: str) -> Callable[[tuple[str, str | None, Any]], bool]:
    return lambda event: event[0] == "message" and event[2]["message"] == message


def messages(events: list[tuple[str, str | None, Any]]) -> list[str]:
    return [data["message"] for name, _, data in events if name == "message"]


def test_all_kept_entries_then_new_ones(sink: Any, entry: Make) -> None:
    sink.post(entry("old 1"), entry("old 2"))
    wait_until(lambda: sink.stats()["kept"] == 2, "two entries are kept")
    with sink.stream(params={"after": "0"}) as stream:
        assert messages(stream.until(named("old 2"))) == ["old 1", "old 2"]
        sink.post(entry("new"))
        event = stream.until(named("new"))[-1]
        assert event[1] == event[2]["id"] == sink.kept()[0]["id"]


def test_only_new_entries_without_a_position(sink: Any, entry: Make) -> None:
    sink.post(entry("old"))
    wait_until(lambda: sink.stats()["kept"] == 1, "an entry is kept")
    with sink.stream() as stream:
        stream.until(lambda event: event[0] == "stats" and event[2]["kept"] == 1)
        sink.post(entry("new"))
        assert messages(stream.until(named("new"))) == ["new"]


def test_resuming_after_an_interruption(sink: Any, entry: Make) -> None:
    seen: list[str] = []
    last = "0"
    for turn in range(5):
        with sink.stream(headers={"Last-Event-ID": last}) as stream:
            sink.post(*(entry(f"{turn}-{n}") for n in range(7)))
            # Interrupted while entries are being sent.
            events = stream.until(named(f"{turn}-3"))
        assert not [event for event in events if event[0] in ("gap", "reset")]
        seen += messages(events)
        last = events[-1][1] or ""
    with sink.stream(headers={"Last-Event-ID": last}) as stream:
        seen += messages(stream.until(named("4-6")))
    assert seen == [f"{turn}-{n}" for turn in range(5) for n in range(7)]


def test_entries_superseded_in_between_are_one_number(sink: Any, entry: Make) -> None:
    sink.post(entry("seen"))
    wait_until(lambda: sink.stats()["kept"] == 1, "an entry is kept")
    last = sink.kept()[0]["id"]
    sink.flood(*(entry(f"m{n}") for n in range(5000)))
    wait_until(lambda: "m4999" in sink.messages(), "the flood is kept")  # it is counted before
    with sink.stream(headers={"Last-Event-ID": last}) as stream:
        events = stream.until(named("m4999"))
    gaps = [data["missed"] for name, _, data in events if name == "gap"]
    assert gaps == [4800]
    assert messages(events) == [f"m{n}" for n in range(4800, 5000)]


def test_seen_and_missed_balance_in_a_flood(sink: Any, entry: Make) -> None:
    total = 30_000
    with sink.stream(params={"after": "0"}) as stream:
        stream.next()
        sink.flood(*(entry(f"m{n}") for n in range(total)))
        events = stream.until(named(f"m{total - 1}"))
    numbers = [int(message[1:]) for message in messages(events)]
    missed = sum(data["missed"] for name, _, data in events if name == "gap")
    assert numbers == sorted(set(numbers))
    assert len(numbers) + missed == total


def test_filters_hold_in_the_tail(sink: Any, entry: Make) -> None:
    with sink.stream(params={"level": "error", "after": "0"}) as stream:
        stream.next()
        sink.post(entry("no"), entry("yes", level="error"), entry("no"), entry("last", level="error"))
        assert messages(stream.until(named("last"))) == ["yes", "last"]


def test_redis_restarts_under_a_tail(sink: Any, redis_server: RedisServer, entry: Make) -> None:
    sink.post(entry("before"))
    with sink.stream(params={"after": "0"}) as stream:
        stream.until(named("before"))
        redis_server.stop()
        try:
            assert stream.until(lambda event: event[0] == "away")
            assert sink.get("/logs/stream").status_code == 503
        finally:
            redis_server.start()
        (*_, reset) = stream.until(lambda event: event[0] == "reset")
        assert reset[2]["since"] == sink.stats()["since"]
        sink.post(entry("after"))
        events = stream.until(named("after"))
        assert "before" not in messages(events)


def test_a_reader_that_does_not_read_costs_nothing(sink: Any, entry: Make) -> None:
    with socket.create_connection(("127.0.0.1", sink.port), 10) as lazy, sink.stream(params={"after": "0"}) as stream:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        key = f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\n".encode()
        lazy.sendall(b"GET /logs/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n" + key + b"\r\n")
        stream.next()
        for turn in range(20):
            sink.post(*(entry(f"{turn}-{n} {'x' * 2000}", fields={"n": n}) for n in range(200)))
        last = f"19-199 {'x' * 2000}"
        # The reader that reads is not blocked by the one that does not.
        assert stream.until(named(last))
    assert sink.received() == 4000


def test_tails_end_after_an_operators_session_has_ended_and_lose_nothing(
    sink: Any, entry: Make, empty_redis: redis.Redis
) -> None:
    sink.post(entry("one"))
    with sink.stream(params={"after": "0"}) as stream:
        last = stream.until(named("one"))[-1][1]
        empty_redis.incr(OPERATORS_KEY)
        sink.post(entry("two"))
        seen = messages(events_until_the_end(stream))
    with sink.stream(headers={"Last-Event-ID": last}) as stream:
        seen = seen or messages(stream.until(named("two")))
        sink.post(entry("three"))
        assert seen + messages(stream.until(named("three")))[-1:] == ["two", "three"]


def events_until_the_end(stream: Any) -> list[tuple[str, str | None, Any]]:
    """Read the stream until it ends; its heartbeat would go on for ever."""
    deadline, seen = time.monotonic() + 30, []
    while time.monotonic() < deadline:
        try:
            seen.append(stream.next())
        except AssertionError:
            return seen
    raise AssertionError("the stream did not end within 30 s")


def test_readers_are_limited(start_sink: Any) -> None:
    sink = start_sink(stream_clients_max=1)
    with sink.stream(params={"after": "0"}) as stream:
        stream.next()
        answer = sink.get("/logs/stream")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_readers")
    wait_until(lambda: _opens(sink), "a reader can connect again")


def _opens(sink: Any) -> bool:
    with sink.stream() as stream:
        return stream.response.status_code == 200


def hub_with(*ids: tuple[int, int], epoch: int = 2) -> Hub:
    hub = Hub(None)  # type: ignore[arg-type]
    hub.epoch = epoch
    hub._newest.extend(Kept(*identity, b"{}") for identity in ids)
    return hub


@pytest.mark.parametrize(
    ("position", "sequences", "missed", "emptied"),
    [
        (Position(2, 5), [6, 7], 0, False),
        (Position(2, 7), [], 0, False),
        (Position(2, 2), [5, 6, 7], 2, False),
        (Position(0, 0), [5, 6, 7], 0, False),
        (Position(1, 7), [5, 6, 7], 0, True),
        (Position(3, 1), [5, 6, 7], 0, True),
    ],
)
def test_news(position: Position, sequences: list[int], missed: int, emptied: bool) -> None:
    news = hub_with((2, 5), (2, 6), (2, 7)).news(position)
    assert ([kept.sequence for kept in news.entries], news.missed, news.emptied) == (sequences, missed, emptied)
