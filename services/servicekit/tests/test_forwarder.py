"""The forwarder never makes its caller wait, keeps the order, and owns up to what it lost."""

from __future__ import annotations

import itertools
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from servicekit import facts
from servicekit import forwarder as module
from servicekit.forwarder import LEVELS, QUEUE_SIZE, Forwarder

from plumbline.testing import wait_until

PAUSE_A_LINE_S = module._PAUSE_A_LINE_S


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(module, "_BACKOFF_S", (0.02,))
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    monkeypatch.setattr(module, "_PAUSE_A_LINE_S", 0.0)


@pytest.fixture
def new_forwarder() -> Iterator[Callable[[str], Forwarder]]:
    made: list[Forwarder] = []

    def new(url: str) -> Forwarder:
        made.append(Forwarder("backend", url))
        return made[-1]

    yield new
    for forwarder in made:
        forwarder._queue.clear()
        forwarder.close(5)
        assert not forwarder._thread.is_alive()


def _line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def _numbers(receiver) -> list[int]:
    return [entry["n"] for entry in receiver.entries]


def test_lines_arrive_in_order_as_ndjson_without_a_word_of_losses(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    for number in range(QUEUE_SIZE):
        forwarder.offer("warning", _line(number))
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE, "all lines arrive")
    assert _numbers(receiver) == list(range(QUEUE_SIZE))
    assert {(post.path, post.content_type, post.dropped, post.superseded) for post in receiver.posts} == {
        ("/ingest", "application/x-ndjson", None, None)
    }


def test_while_a_receiver_is_away_newer_lines_supersede_the_oldest_counted_by_level(
    new_receiver, new_forwarder, capsys
):
    receiver = new_receiver()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(-1))
    wait_until(lambda: forwarder._failures > 0, "an attempt has failed")
    for number in range(QUEUE_SIZE + 60):
        forwarder.offer("error" if number % 3 == 0 else "warning", _line(number))
    receiver.start()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "what was kept arrives")
    assert _numbers(receiver) == [-1, *range(60, QUEUE_SIZE + 60)]
    assert [post.superseded for post in receiver.posts] == [
        None, "backend;level=error;count=20, backend;level=warning;count=40",
    ]  # fmt: skip
    assert {post.dropped for post in receiver.posts} == {None}
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1, "one line of complaint for one outage"
    assert f"127.0.0.1:{receiver.port}" in complaints[0]


def test_recovers_after_the_receiver_has_gone_and_come_back(receiver, new_forwarder, capsys):
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: _numbers(receiver) == [1], "the first line arrives")
    receiver.stop()
    forwarder.offer("warning", _line(2))
    wait_until(lambda: forwarder._failures > 1, "forwarding fails")
    receiver.start()
    forwarder.offer("warning", _line(3))
    wait_until(lambda: len(receiver.lines) == 3, "the rest arrives")
    assert _numbers(receiver) == [1, 2, 3]
    receiver.stop()
    forwarder.offer("warning", _line(4))
    wait_until(lambda: forwarder._failures > 1, "forwarding fails again")
    assert len(capsys.readouterr().err.splitlines()) == 2, "each outage is reported, once"


def test_an_idle_connection_that_was_closed_is_no_outage(receiver, new_forwarder, capsys):
    forwarder = new_forwarder(receiver.url)
    for number in range(3):
        forwarder.offer("warning", _line(number))
        wait_until(lambda number=number: len(receiver.lines) == number + 1, "the line arrives")
        receiver.hang_up()
    assert capsys.readouterr().err == ""


def test_a_receiver_that_accepts_but_never_answers_holds_nobody_up(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    offered = 3 * QUEUE_SIZE
    forwarder.offer("warning", _line(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    for number in range(1, offered):
        forwarder.offer("warning", _line(number))
    assert not receiver.release.is_set(), "every offer returned while the receiver answered nothing"
    wait_until(lambda: receiver.seen > 1, "the forwarder gives up on an answer and tries again")
    receiver.release.set()
    wait_until(lambda: offered - 1 in _numbers(receiver), "the newest line arrives")
    arrived = _numbers(receiver)
    superseded = sum(int(post.superseded.rpartition("=")[2]) for post in receiver.posts if post.superseded)
    assert arrived == [0, *range(offered - QUEUE_SIZE, offered)], "the newest, in order, without a gap"
    assert len(arrived) + superseded == offered, "nothing is lost without being counted"


def test_what_is_sent_again_is_the_same_batch_and_says_so(receiver, new_forwarder):
    receiver.statuses = [503, 503]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: receiver.seen > 0, "a request was made")
    forwarder.offer("warning", _line(2))
    wait_until(lambda: len(receiver.lines) == 2, "both lines arrive")
    assert [[entry["n"] for entry in map(orjson.loads, post.lines)] for post in receiver.posts] == [[1], [2]]
    first, second = (post.batch for post in receiver.posts)
    assert receiver.batches == [first, first, first, second]
    assert re.fullmatch(r"[0-9a-f]{32}-1", first)
    assert second == first[:-1] + "2"


def test_in_a_flood_only_what_is_sent_is_rendered(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    rendered: list[int] = []
    for number in range(1, 5 * QUEUE_SIZE):
        forwarder.offer("warning", lambda number=number: rendered.append(number) or _line(number))
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "the newest lines arrive")
    assert rendered == list(range(4 * QUEUE_SIZE, 5 * QUEUE_SIZE))


def test_a_line_that_cannot_be_rendered_costs_itself_alone_and_is_counted(receiver, new_forwarder):
    def broken() -> bytes:
        raise RuntimeError

    forwarder = new_forwarder(receiver.url)
    forwarder.offer("error", broken)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: _numbers(receiver) == [1], "the other line arrives")
    assert [post.dropped for post in receiver.posts if post.dropped] == ["backend;level=error;count=1"]


class _Pauses(threading.Event):
    """Stands for the event that the forwarder rests by: in its rests, which take no time, something is done instead."""

    def __init__(self, things: list[Callable[[], object]]) -> None:
        super().__init__()
        self._things = iter(things)
        self.rests: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and timeout > 0:
            self.rests.append(timeout)
            next(self._things, lambda: None)()
        return super().wait(0.0)


@pytest.fixture
def flooded(receiver, new_forwarder, monkeypatch):
    """Offer a line, a full batch, and one more in each of five of the forwarder's rests; return all rests and posts."""

    def flood(longest_s: float) -> tuple[list[float], list[Any]]:
        monkeypatch.setattr(module, "_PAUSE_A_LINE_S", PAUSE_A_LINE_S)
        monkeypatch.setattr(module, "LONGEST_PAUSE_S", longest_s)
        numbers = itertools.count(1)

        def say() -> None:
            for _ in range(QUEUE_SIZE):
                forwarder.offer("warning", _line(next(numbers)))

        receiver.hold()
        forwarder = new_forwarder(receiver.url)
        forwarder._closing = pauses = _Pauses([say] * 5)
        forwarder.offer("warning", _line(0))
        wait_until(lambda: receiver.seen == 1, "a request is under way")
        say()
        receiver.release.set()
        wait_until(lambda: 6 * QUEUE_SIZE in _numbers(receiver), "the last line arrives")
        return pauses.rests, receiver.posts

    return flood


def test_a_flood_is_waited_out_and_its_newest_lines_arrive(flooded):
    rests, posts = flooded(3600.0)
    assert [len(post.lines) for post in posts] == [1, QUEUE_SIZE, QUEUE_SIZE]
    assert [post.superseded for post in posts] == [
        None, *(f"backend;level=warning;count={count * QUEUE_SIZE}" for count in (1, 3)),
    ]  # fmt: skip
    a_line, a_batch, look_s = PAUSE_A_LINE_S, QUEUE_SIZE * PAUSE_A_LINE_S, module._LOOK_S
    assert rests[:6] == [a_line, a_batch, *[look_s] * 4], "the first look without a new line was the last"


def test_a_flood_without_end_is_told_of_all_the_same(flooded):
    rests, posts = flooded(0.0)
    assert [len(post.lines) for post in posts] == [1, *[QUEUE_SIZE] * 5]
    assert module._LOOK_S not in rests


def test_closing_ends_a_pause(receiver, new_forwarder, monkeypatch):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    forwarder.offer("warning", lambda: monkeypatch.setattr(module, "_PAUSE_A_LINE_S", 3600.0) or _line(1))
    for number in range(2, QUEUE_SIZE + 1):
        forwarder.offer("warning", _line(number))
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "a full batch arrives")
    for number in range(QUEUE_SIZE + 1, 9 * QUEUE_SIZE):
        forwarder.offer("warning", _line(number))
    forwarder.close(20)
    assert not forwarder._thread.is_alive()
    assert _numbers(receiver)[-QUEUE_SIZE:] == list(range(8 * QUEUE_SIZE, 9 * QUEUE_SIZE))
    assert len(receiver.posts) == 3, "what came in the pause waited for its end, and the newest of it were sent"


def test_an_offer_does_not_wait_for_a_receiver_that_does_not_even_accept(new_forwarder):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        forwarder = new_forwarder(f"http://127.0.0.1:{listener.getsockname()[1]}/ingest")
        for number in range(2 * QUEUE_SIZE):
            forwarder.offer("warning", _line(number))
        assert len(forwarder._queue) <= QUEUE_SIZE


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_receiver_in_trouble_gets_the_same_lines_again(receiver, new_forwarder, status):
    receiver.statuses = [status, status]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("error", _line(7))
    wait_until(lambda: _numbers(receiver) == [7], "the line arrives at the third attempt")
    assert receiver.seen == 3


@pytest.mark.parametrize("status", [301, 400, 404, 413])
def test_lines_that_the_receiver_refuses_are_not_sent_again_but_counted(receiver, new_forwarder, capsys, status):
    receiver.statuses = [status]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("error", _line(1))
    wait_until(lambda: forwarder._dropped.total() == 1, "the refusal is counted")
    forwarder.offer("warning", _line(2))
    wait_until(lambda: _numbers(receiver) == [2], "the next line arrives")
    assert receiver.posts[0].dropped == "backend;level=error;count=1"
    assert f"answered {status}" in capsys.readouterr().err


def test_the_largest_batch_is_one_that_the_sink_takes():
    assert QUEUE_SIZE * facts.ENTRY_MAX_BYTES < facts.INGEST_MAX_BYTES


def test_close_sends_what_is_queued(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    for number in range(QUEUE_SIZE):
        forwarder.offer("warning", _line(number))
    forwarder.close(10)
    assert not forwarder._thread.is_alive()
    assert _numbers(receiver) == list(range(QUEUE_SIZE))


def test_close_gives_up_on_a_receiver_that_is_away(new_receiver, new_forwarder, capsys):
    forwarder = new_forwarder(new_receiver().url)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: forwarder._failures > 0, "an attempt has failed")
    forwarder.offer("warning", _line(2))
    forwarder.close(20)
    assert not forwarder._thread.is_alive(), "it ended by itself, with the lines unsent"
    assert "ends with 2 entries that nobody took" in capsys.readouterr().err


def test_close_does_not_sit_out_a_pause_between_attempts(new_receiver, new_forwarder, monkeypatch):
    monkeypatch.setattr(module, "_BACKOFF_S", (3600.0,))
    receiver = new_receiver()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: forwarder._failures == 1, "the first attempt fails")
    receiver.start()
    forwarder.close(20)
    assert _numbers(receiver) == [1]


def test_close_returns_though_the_receiver_never_answers(receiver, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT_S", 3600.0)
    receiver.hold()
    forwarder = Forwarder("backend", receiver.url)
    forwarder.offer("warning", _line(1))
    wait_until(lambda: receiver.seen == 1, "the request is under way")
    forwarder.close(0.05)
    assert forwarder._thread.is_alive(), "close came back before the thread, which ends with the process"
    assert forwarder._thread.daemon
    receiver.stop()
    forwarder._thread.join(10)


def test_many_threads_may_offer_at_once(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    threads = [
        threading.Thread(target=lambda k=k: [forwarder.offer("warning", _line(k * 1000 + n)) for n in range(20)])
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(receiver.lines) == 160, "every line arrives")
    arrived = _numbers(receiver)
    assert len(set(arrived)) == 160
    for k in range(8):
        mine = [number for number in arrived if number // 1000 == k]
        assert mine == sorted(mine), "each thread's own order is kept"


def _accounted(receiver) -> int:
    told = [re.findall(r"count=(\d+)", post.superseded or "") for post in receiver.posts]
    return len(receiver.lines) + sum(int(count) for counts in told for count in counts)


def test_what_comes_while_a_batch_is_made_is_accounted_for_once(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", _line(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    numbers, offered = itertools.count(1), QUEUE_SIZE + 56
    meanwhile, look = iter((3, 3)), forwarder._unaccounted

    def say(lines: int) -> None:
        for _ in range(lines):
            forwarder.offer("warning", _line(next(numbers)))

    def looked() -> Counter[str]:
        say(next(meanwhile, 0))
        found = look()
        say(next(meanwhile, 0))
        return found

    forwarder._unaccounted = looked
    say(QUEUE_SIZE + 50)
    receiver.release.set()
    wait_until(lambda: _accounted(receiver) > offered, "everything is accounted for")
    assert _accounted(receiver) == 1 + offered
    assert _numbers(receiver) == [0, *range(offered - QUEUE_SIZE + 1, offered + 1)]
    assert forwarder._unaccounted() == Counter(), "and nothing is told in advance"


def test_a_line_that_is_just_being_offered_is_not_taken_for_superseded(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    tally, counted, go_on = forwarder._offered["warning"], threading.Event(), threading.Event()
    add = tally.add

    def add_slowly() -> None:
        tally.add = add
        add()
        counted.set()
        go_on.wait(30)

    tally.add = add_slowly
    thread = threading.Thread(target=forwarder.offer, args=("warning", _line(1)))
    thread.start()
    assert counted.wait(30)
    forwarder.offer("warning", _line(2))
    wait_until(lambda: len(receiver.posts) == 1, "a batch arrives meanwhile")
    go_on.set()
    thread.join()
    wait_until(lambda: sorted(_numbers(receiver)) == [1, 2], "both lines arrive")
    assert _accounted(receiver) == 2


def test_many_threads_in_a_flood_lose_no_count(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    each, interval = 20_000, sys.getswitchinterval()
    threads = [
        threading.Thread(target=lambda k=k: [forwarder.offer(LEVELS[k % 3], _line(k * each + n)) for n in range(each)])
        for k in range(6)
    ]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    wait_until(lambda: _accounted(receiver) >= 6 * each, "everything is accounted for")
    assert _accounted(receiver) == 6 * each
    assert len(set(_numbers(receiver))) == len(receiver.lines), "nothing was sent twice"


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/ingest", "127.0.0.1:9000", "http:///ingest", "http://h:99999/"])
def test_an_address_that_cannot_be_used_is_refused_at_once(url):
    with pytest.raises(ValueError, match=r"http://host|[Pp]ort"):
        Forwarder("backend", url)
