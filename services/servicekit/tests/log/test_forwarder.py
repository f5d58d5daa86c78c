"""The forwarder never blocks its caller, keeps the order, and reports the lines that it lost."""

from __future__ import annotations

import re
import socket
import sys
import threading
from functools import partial

import orjson
import pytest
from servicekit import facts
from servicekit.facts import LEVELS_KEPT
from servicekit.log import forwarder as module
from servicekit.log.forwarder import QUEUE_SIZE, Forwarder

from plumbline.verification.throwaway import INTERNAL_SECRET, wait_until


def numbered(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def test_lines_arrive_in_order_as_ndjson_without_losses(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    for number in range(QUEUE_SIZE):
        forwarder.offer("warning", numbered(number))
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE, "all lines arrive")
    assert receiver.numbers == list(range(QUEUE_SIZE))
    assert {(post.path, post.content_type, post.dropped, post.superseded) for post in receiver.posts} == {
        ("/ingest", "application/x-ndjson", None, None)
    }


def test_while_a_receiver_is_away_newer_lines_supersede_the_oldest_counted_by_level(
    new_receiver, new_forwarder, capsys
):
    receiver = new_receiver()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(-1))
    wait_until(lambda: forwarder._failures > 0, "an attempt has failed")
    for number in range(QUEUE_SIZE + 60):
        forwarder.offer("error" if number % 3 == 0 else "warning", numbered(number))
    receiver.start()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "what was kept arrives")
    assert receiver.numbers == [-1, *range(60, QUEUE_SIZE + 60)]
    assert [post.superseded for post in receiver.posts] == [
        None, "backend;level=error;count=20, backend;level=warning;count=40",
    ]  # fmt: skip
    assert {post.dropped for post in receiver.posts} == {None}
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1, "one message per outage"
    assert f"127.0.0.1:{receiver.port}" in complaints[0]


def test_it_sends_the_current_internal_secret(receiver, new_forwarder, tmp_path):
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: receiver.numbers == [1], "the first line arrives")
    (tmp_path / "internal_secret").write_text("another secret, written later")
    forwarder.offer("warning", numbered(2))
    wait_until(lambda: receiver.numbers == [1, 2], "the second line arrives")
    assert [post.internal for post in receiver.posts] == [INTERNAL_SECRET, "another secret, written later"]


def test_recovers_after_the_receiver_has_gone_and_come_back(receiver, new_forwarder, capsys):
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: receiver.numbers == [1], "the first line arrives")
    receiver.stop()
    forwarder.offer("warning", numbered(2))
    wait_until(lambda: forwarder._failures > 1, "forwarding fails")
    receiver.start()
    forwarder.offer("warning", numbered(3))
    wait_until(lambda: len(receiver.lines) == 3, "the rest arrives")
    assert receiver.numbers == [1, 2, 3]
    receiver.stop()
    forwarder.offer("warning", numbered(4))
    wait_until(lambda: forwarder._failures > 1, "forwarding fails again")
    assert len(capsys.readouterr().err.splitlines()) == 2, "each outage is reported, once"


def test_an_idle_connection_that_was_closed_is_no_outage(receiver, new_forwarder, capsys):
    forwarder = new_forwarder(receiver.url)
    for number in range(3):
        forwarder.offer("warning", numbered(number))
        wait_until(lambda number=number: len(receiver.lines) == number + 1, "the line arrives")
        receiver.hang_up()
    assert capsys.readouterr().err == ""


def test_a_receiver_that_accepts_but_never_answers_blocks_no_caller(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    offered = 3 * QUEUE_SIZE
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    for number in range(1, offered):
        forwarder.offer("warning", numbered(number))
    assert not receiver.release.is_set(), "every offer returned while the receiver answered nothing"
    wait_until(lambda: receiver.seen > 1, "the forwarder gives up on an answer and tries again")
    receiver.release.set()
    wait_until(lambda: offered - 1 in receiver.numbers, "the newest line arrives")
    arrived = receiver.numbers
    superseded = sum(int(post.superseded.rpartition("=")[2]) for post in receiver.posts if post.superseded)
    assert arrived == [0, *range(offered - QUEUE_SIZE, offered)], "the newest, in order, without a gap"
    assert len(arrived) + superseded == offered, "nothing is lost without being counted"


def test_a_repeated_request_has_the_same_batch_number(receiver, new_forwarder):
    receiver.statuses = [503, 503]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: receiver.seen > 0, "a request was made")
    forwarder.offer("warning", numbered(2))
    wait_until(lambda: len(receiver.lines) == 2, "both lines arrive")
    assert [[entry["n"] for entry in map(orjson.loads, post.lines)] for post in receiver.posts] == [[1], [2]]
    first, second = (post.batch for post in receiver.posts)
    assert receiver.batches == [first, first, first, second]
    assert re.fullmatch(r"[0-9a-f]{32}-1", first)
    assert second == first[:-1] + "2"


def test_an_offer_does_not_wait_for_a_receiver_that_does_not_even_accept(new_forwarder):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        forwarder = new_forwarder(f"http://127.0.0.1:{listener.getsockname()[1]}/ingest")
        for number in range(2 * QUEUE_SIZE):
            forwarder.offer("warning", numbered(number))
        assert len(forwarder._queue) <= QUEUE_SIZE


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_receiver_in_trouble_gets_the_same_lines_again(receiver, new_forwarder, status):
    receiver.statuses = [status, status]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("error", numbered(7))
    wait_until(lambda: receiver.numbers == [7], "the line arrives at the third attempt")
    assert receiver.seen == 3


@pytest.mark.parametrize("status", [301, 400, 404, 413])
def test_lines_that_the_receiver_refuses_are_not_sent_again_but_counted(receiver, new_forwarder, capsys, status):
    receiver.statuses = [status]
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("error", numbered(1))
    wait_until(lambda: forwarder._dropped.total() == 1, "the refusal is counted")
    forwarder.offer("warning", numbered(2))
    wait_until(lambda: receiver.numbers == [2], "the next line arrives")
    assert receiver.posts[0].dropped == "backend;level=error;count=1"
    assert f"answered {status}" in capsys.readouterr().err


def test_only_the_line_that_cannot_be_rendered_is_lost_and_it_is_counted(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    lines = [numbered(1)]
    receiver.hold()
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    forwarder.offer("error", lambda: lines[1])
    forwarder.offer("warning", lambda: lines[0])
    receiver.release.set()
    wait_until(lambda: receiver.numbers == [0, 1], "the other line arrives")
    assert [post.dropped for post in receiver.posts if post.dropped] == ["backend;level=error;count=1"]


def test_only_lines_that_are_sent_are_rendered(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return numbered(number)

    receiver.hold()
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    for number in range(1, 5 * QUEUE_SIZE):
        forwarder.offer("warning", partial(make, number))
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "the newest lines arrive")
    assert made == list(range(4 * QUEUE_SIZE, 5 * QUEUE_SIZE))


def test_a_line_that_could_not_be_rendered_is_counted_with_the_next_one(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    forwarder.drop("error")
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: receiver.numbers == [1], "the line arrives")
    assert [post.dropped for post in receiver.posts] == ["backend;level=error;count=1"]


def test_the_sink_accepts_the_largest_batch():
    assert QUEUE_SIZE * facts.ENTRY_MAX_BYTES < facts.INGEST_MAX_BYTES


def test_close_sends_what_is_queued(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    for number in range(QUEUE_SIZE):
        forwarder.offer("warning", numbered(number))
    forwarder.close(10)
    assert not forwarder._thread.is_alive()
    assert receiver.numbers == list(range(QUEUE_SIZE))


def test_close_gives_up_on_a_receiver_that_is_away(new_receiver, new_forwarder, capsys):
    forwarder = new_forwarder(new_receiver().url)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: forwarder._failures > 0, "an attempt has failed")
    forwarder.offer("warning", numbered(2))
    forwarder.close(20)
    assert not forwarder._thread.is_alive(), "it ended by itself, with the lines unsent"
    assert "ends with 2 entries not sent" in capsys.readouterr().err


def test_close_does_not_wait_for_the_pause_between_attempts(new_receiver, new_forwarder, monkeypatch):
    monkeypatch.setattr(module, "_BACKOFF_S", (3600.0,))
    receiver = new_receiver()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: forwarder._failures == 1, "the first attempt fails")
    receiver.start()
    forwarder.close(20)
    assert receiver.numbers == [1]


def test_close_returns_though_the_receiver_never_answers(receiver, secret, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT_S", 3600.0)
    receiver.hold()
    forwarder = Forwarder("backend", receiver.url, secret)
    forwarder.offer("warning", numbered(1))
    wait_until(lambda: receiver.seen == 1, "the request is under way")
    forwarder.close(0.05)
    assert forwarder._thread.is_alive(), "close returned before the thread ended; the thread ends with the process"
    assert forwarder._thread.daemon
    receiver.stop()
    forwarder._thread.join(10)


def test_lines_that_come_in_the_pause_after_a_batch_share_the_next_one(receiver, new_forwarder, monkeypatch):
    forwarder = new_forwarder(receiver.url)
    monkeypatch.setattr(module, "_PAUSE_S", 3600.0)
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.numbers == [0], "the first line arrives")
    for number in range(1, 2 * QUEUE_SIZE):
        forwarder.offer("warning", numbered(number))
    forwarder.close(20)
    assert not forwarder._thread.is_alive(), "closing ended the pause"
    assert receiver.numbers == [0, *range(QUEUE_SIZE, 2 * QUEUE_SIZE)]
    assert [post.superseded for post in receiver.posts] == [None, f"backend;level=warning;count={QUEUE_SIZE - 1}"]


def test_many_threads_lose_no_line_uncounted(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    each, threads, interval = 5_000, 6, sys.getswitchinterval()

    def offer(k: int) -> None:
        for number in range(each):
            forwarder.offer(LEVELS_KEPT[k % 3], numbered(k * each + number))

    offering = [threading.Thread(target=offer, args=(k,)) for k in range(threads)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in offering:
            thread.start()
        for thread in offering:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    wait_until(lambda: accounted_for(receiver) >= threads * each, "everything is accounted for")
    assert accounted_for(receiver) == threads * each
    arrived = receiver.numbers
    assert len(set(arrived)) == len(arrived), "nothing was sent twice"
    for k in range(threads):
        mine = [number for number in arrived if number // each == k]
        assert mine == sorted(mine), "the order of each thread is kept"


def accounted_for(receiver) -> int:
    told = [re.findall(r"count=(\d+)", post.superseded or "") for post in receiver.posts]
    return len(receiver.lines) + sum(int(count) for counts in told for count in counts)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/ingest", "127.0.0.1:9000", "http:///ingest", "http://h:99999/"])
def test_an_address_that_cannot_be_used_is_refused_at_once(url, secret):
    with pytest.raises(ValueError, match=r"http://host|[Pp]ort"):
        Forwarder("backend", url, secret)
