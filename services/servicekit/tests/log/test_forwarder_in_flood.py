"""More offered than can be handed over: when the forwarder does it all the same, and that it accounts for the rest."""

from __future__ import annotations

import itertools
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from servicekit.log import forwarder as module
from servicekit.log.forwarder import LEVELS, QUEUE_SIZE

from plumbline.verification.throwaway import wait_until

PAUSE_A_LINE_S = module._PAUSE_A_LINE_S


def numbered(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def test_in_a_flood_only_what_is_sent_is_rendered(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    rendered: list[int] = []

    def render(number: int) -> bytes:
        rendered.append(number)
        return numbered(number)

    for number in range(1, 5 * QUEUE_SIZE):
        forwarder.offer("warning", (render, number))
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "the newest lines arrive")
    assert rendered == list(range(4 * QUEUE_SIZE, 5 * QUEUE_SIZE))


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


class _Clock:
    """Stands for the module `time`: nobody sleeps, and nothing else takes time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return 1000.0 + sum(self.slept)


@pytest.fixture
def flooded(receiver, new_forwarder, monkeypatch):
    """Offer a line, a full batch, and one more in each of five of the forwarder's rests; return all rests and posts."""

    def flood(longest_s: float) -> tuple[list[float], list[Any]]:
        monkeypatch.setattr(module, "_PAUSE_A_LINE_S", PAUSE_A_LINE_S)
        monkeypatch.setattr(module, "LONGEST_PAUSE_S", longest_s)
        monkeypatch.setattr(module, "time", _Clock())
        numbers = itertools.count(1)

        def say() -> None:
            for _ in range(QUEUE_SIZE):
                forwarder.offer("warning", numbered(next(numbers)))

        receiver.hold()
        forwarder = new_forwarder(receiver.url)
        forwarder._closing = pauses = _Pauses([say] * 5)
        forwarder.offer("warning", numbered(0))
        wait_until(lambda: receiver.seen == 1, "a request is under way")
        say()
        receiver.release.set()
        wait_until(lambda: 6 * QUEUE_SIZE in receiver.numbers, "the last line arrives")
        return pauses.rests, receiver.posts

    return flood


def test_a_flood_is_waited_out_and_its_newest_lines_arrive(flooded):
    rests, posts = flooded(3600.0)
    assert [len(post.lines) for post in posts] == [1, QUEUE_SIZE, QUEUE_SIZE]
    assert [post.superseded for post in posts] == [
        None, *(f"backend;level=warning;count={count * QUEUE_SIZE}" for count in (1, 3)),
    ]  # fmt: skip
    a_line, a_batch, look_s = PAUSE_A_LINE_S, QUEUE_SIZE * PAUSE_A_LINE_S, module._LOOK_S
    looks = [look_s] * 4  # the first without a new line was the last
    assert rests[:6] == pytest.approx([a_line, a_batch, *looks])


def test_a_flood_without_end_is_told_of_all_the_same(flooded):
    rests, posts = flooded(0.0)
    assert [len(post.lines) for post in posts] == [1, *[QUEUE_SIZE] * 5]
    assert module._LOOK_S not in rests


def test_closing_ends_a_pause(receiver, new_forwarder, monkeypatch):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    forwarder.offer("warning", (lambda: monkeypatch.setattr(module, "_PAUSE_A_LINE_S", 3600.0) or numbered(1),))
    for number in range(2, QUEUE_SIZE + 1):
        forwarder.offer("warning", numbered(number))
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 1, "a full batch arrives")
    for number in range(QUEUE_SIZE + 1, 9 * QUEUE_SIZE):
        forwarder.offer("warning", numbered(number))
    forwarder.close(20)
    assert not forwarder._thread.is_alive()
    assert receiver.numbers[-QUEUE_SIZE:] == list(range(8 * QUEUE_SIZE, 9 * QUEUE_SIZE))
    assert len(receiver.posts) == 3, "what came in the pause waited for its end, and the newest of it were sent"


@pytest.mark.parametrize("closing", [False, True])
def test_lines_are_rendered_with_a_pause_before_each_that_no_rest_repeats(
    receiver, new_forwarder, monkeypatch, closing
):
    forwarder = new_forwarder(receiver.url)
    monkeypatch.setattr(module, "_PAUSE_A_LINE_S", PAUSE_A_LINE_S)
    monkeypatch.setattr(module, "time", clock := _Clock())
    forwarder._closing = pauses = _Pauses([])
    receiver.hold()
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    for number in range(1, QUEUE_SIZE):
        forwarder.offer("warning", (numbered, number))
    if closing:
        pauses.set()
    receiver.release.set()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE, "all lines arrive")
    forwarder.close(20)
    assert clock.slept == ([] if closing else [PAUSE_A_LINE_S] * (QUEUE_SIZE - 1))
    assert sum(pauses.rests) == pytest.approx((QUEUE_SIZE if closing else 1) * PAUSE_A_LINE_S)


def _accounted(receiver) -> int:
    told = [re.findall(r"count=(\d+)", post.superseded or "") for post in receiver.posts]
    return len(receiver.lines) + sum(int(count) for counts in told for count in counts)


def test_what_comes_while_a_batch_is_made_is_accounted_for_once(receiver, new_forwarder):
    receiver.hold()
    forwarder = new_forwarder(receiver.url)
    forwarder.offer("warning", numbered(0))
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    numbers, offered = itertools.count(1), QUEUE_SIZE + 56
    meanwhile, look = iter((3, 3)), forwarder._unaccounted

    def say(lines: int) -> None:
        for _ in range(lines):
            forwarder.offer("warning", numbered(next(numbers)))

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
    assert receiver.numbers == [0, *range(offered - QUEUE_SIZE + 1, offered + 1)]
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
    thread = threading.Thread(target=forwarder.offer, args=("warning", numbered(1)))
    thread.start()
    assert counted.wait(30)
    forwarder.offer("warning", numbered(2))
    wait_until(lambda: len(receiver.posts) == 1, "a batch arrives meanwhile")
    go_on.set()
    thread.join()
    wait_until(lambda: sorted(receiver.numbers) == [1, 2], "both lines arrive")
    assert _accounted(receiver) == 2


def test_many_threads_in_a_flood_lose_no_count(receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    each, interval = 20_000, sys.getswitchinterval()
    threads = [
        threading.Thread(
            target=lambda k=k: [forwarder.offer(LEVELS[k % 3], numbered(k * each + n)) for n in range(each)]
        )
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
    assert len(set(receiver.numbers)) == len(receiver.lines), "nothing was sent twice"
