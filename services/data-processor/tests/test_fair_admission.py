"""Admission to the slow lane, and the refusal of users and addresses with too many requests."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from data_processor.web.errors import BusyError, TooManyAtOnceError
from data_processor.web.slow_lane import SlowLane

from plumbline.verification.throwaway import wait_until

ALICE, BOB, CAROL = 1, 2, 3
HERE, THERE = "192.0.2.1", "192.0.2.2"


def enter(lane: SlowLane, stack: ExitStack, user: int, address: str, times: int = 1) -> None:
    for _ in range(times):
        stack.enter_context(lane.place("uploads", user, address, patience_s=0))


def test_one_user_fills_only_their_share() -> None:
    lane = SlowLane(8, 3, 6)
    with ExitStack() as stack:
        enter(lane, stack, ALICE, HERE, times=3)
        with pytest.raises(TooManyAtOnceError, match="you have 3 uploads under way here"):
            enter(lane, stack, ALICE, THERE)
        stack.enter_context(lane.place("changes", ALICE, HERE, patience_s=0))
        enter(lane, stack, BOB, HERE)


def test_one_address_fills_only_its_share() -> None:
    lane = SlowLane(8, 3, 6)
    with ExitStack() as stack:
        enter(lane, stack, ALICE, HERE, times=3)
        enter(lane, stack, BOB, HERE, times=3)
        with pytest.raises(TooManyAtOnceError, match="your address has 6"):
            enter(lane, stack, CAROL, HERE)
        enter(lane, stack, CAROL, THERE, times=2)
        with pytest.raises(BusyError):
            enter(lane, stack, BOB + CAROL, "192.0.2.3")


def test_a_small_room_keeps_a_place_for_others() -> None:
    lane = SlowLane(2, 3, 6)
    with ExitStack() as stack:
        enter(lane, stack, ALICE, HERE)
        with pytest.raises(TooManyAtOnceError):
            enter(lane, stack, ALICE, HERE)
        enter(lane, stack, BOB, THERE)


def test_a_place_is_free_again_after_success_and_failure() -> None:
    lane = SlowLane(1, 1, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lane.place("uploads", ALICE, HERE, patience_s=0):
            raise ZeroDivisionError


def test_the_user_with_the_fewest_requests_is_admitted_first() -> None:
    lane = SlowLane(4, 3, 4)
    order: list[int] = []
    done = threading.Event()

    def wait(user: int) -> None:
        with lane.place("uploads", user, None, patience_s=30):
            order.append(user)
            done.wait(30)

    with ExitStack() as held, ExitStack() as first:
        enter(lane, held, ALICE, HERE, times=2)
        enter(lane, held, BOB, THERE)
        enter(lane, first, CAROL, "192.0.2.3")
        greedy = threading.Thread(target=wait, args=(ALICE,))
        greedy.start()
        wait_until(lambda: len(lane._waiting) == 1, "who has two waits for a third")
        modest = threading.Thread(target=wait, args=(BOB + CAROL,))
        modest.start()
        wait_until(lambda: len(lane._waiting) == 2, "who has none waits, too")
        first.close()
        wait_until(lambda: bool(order), "one is let in")
        assert order == [BOB + CAROL]
        done.set()
        modest.join()
        greedy.join()
    assert order == [BOB + CAROL, ALICE]
