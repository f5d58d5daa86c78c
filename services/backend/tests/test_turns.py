"""Whose turn it is, without any hashing."""

from __future__ import annotations

import asyncio

import pytest
from backend.errors import Overloaded
from backend.passwords import Turns


def run_in_order(arrivals: list[str], places: int) -> tuple[list[str], list[str]]:
    """Let one piece of work run at a time; return the lanes in the order of their turns, and those turned away."""
    served: list[str] = []
    refused: list[str] = []

    async def ask(turns: Turns, lane: str) -> None:
        try:
            await turns.wait(lane)
        except Overloaded:
            refused.append(lane)
            return
        served.append(lane)
        await asyncio.sleep(0)
        turns.done()

    async def main() -> None:
        turns = Turns(1, places, 60)
        await turns.wait("first")
        tasks = []
        for lane in arrivals:
            tasks.append(asyncio.create_task(ask(turns, lane)))
            await asyncio.sleep(0)
        turns.done()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)

    asyncio.run(main())
    return served, refused


def test_lanes_take_turns() -> None:
    assert run_in_order(["a"] * 4 + ["b", "c", "b"], 10) == (["a", "b", "c", "a", "b", "a", "a"], [])


def test_the_longest_lane_gives_way_when_all_places_are_taken() -> None:
    served, refused = run_in_order(["a"] * 4 + ["b", "c", "d", "e"], 4)
    assert (sorted(served), refused) == (["a", "b", "c", "d"], ["a", "a", "a", "e"])


def test_a_lane_gains_nothing_by_asking_more() -> None:
    assert run_in_order(["a"] * 9, 4) == (["a"] * 4, ["a"] * 5)


def test_waiting_is_bounded_and_a_lost_turn_goes_on() -> None:
    async def main() -> None:
        turns = Turns(1, 10, 0.01)
        await turns.wait("a")
        with pytest.raises(Overloaded):
            await turns.wait("b")
        given_up = asyncio.create_task(turns.wait("c"))
        await asyncio.sleep(0)
        # The turn is granted and the one who waited for it is gone before it could be taken.
        turns.done()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        async with asyncio.timeout(10):
            await turns.wait("d")

    asyncio.run(main())
