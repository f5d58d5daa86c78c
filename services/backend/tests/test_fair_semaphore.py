"""The order in which FairSemaphore serves its lanes."""

from __future__ import annotations

import asyncio

import pytest
from backend.errors import Overloaded
from backend.passwords import FairSemaphore


def run_in_order(arrivals: list[str], max_waiting: int) -> tuple[list[str], list[str]]:
    """Run one piece of work at a time; return the lanes in the order served, and those refused."""
    served: list[str] = []
    refused: list[str] = []

    async def work(semaphore: FairSemaphore, lane: str) -> None:
        try:
            await semaphore.acquire(lane)
        except Overloaded:
            refused.append(lane)
            return
        served.append(lane)
        await asyncio.sleep(0)
        semaphore.release()

    async def main() -> None:
        semaphore = FairSemaphore(1, max_waiting, 60)
        await semaphore.acquire("first")
        tasks = []
        for lane in arrivals:
            tasks.append(asyncio.create_task(work(semaphore, lane)))
            await asyncio.sleep(0)
        semaphore.release()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)

    asyncio.run(main())
    return served, refused


def test_lanes_are_served_round_robin() -> None:
    assert run_in_order(["a"] * 4 + ["b", "c", "b"], 10) == (["a", "b", "c", "a", "b", "a", "a"], [])


def test_the_newest_of_the_longest_lane_is_refused_when_too_many_wait() -> None:
    served, refused = run_in_order(["a"] * 4 + ["b", "c", "d", "e"], 4)
    assert (sorted(served), refused) == (["a", "b", "c", "d"], ["a", "a", "a", "e"])


def test_a_lane_cannot_exceed_the_waiting_limit() -> None:
    assert run_in_order(["a"] * 9, 4) == (["a"] * 4, ["a"] * 5)


def test_waiting_times_out_and_a_cancelled_slot_is_passed_on() -> None:
    async def main() -> None:
        semaphore = FairSemaphore(1, 10, 0.01)
        await semaphore.acquire("a")
        with pytest.raises(Overloaded):
            await semaphore.acquire("b")
        given_up = asyncio.create_task(semaphore.acquire("c"))
        await asyncio.sleep(0)
        # The slot is granted, but the waiting task is cancelled before it takes it.
        semaphore.release()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        async with asyncio.timeout(10):
            await semaphore.acquire("d")

    asyncio.run(main())
