"""Tasks that are told to end do."""

from __future__ import annotations

import asyncio
import logging

from servicekit import stopping


def test_a_task_that_misses_a_cancellation_is_cancelled_again(monkeypatch, caplog):
    async def misses_one() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    async def fails() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise LookupError

    async def main() -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(work()) for work in (misses_one, fails, misses_one)]
        await asyncio.sleep(0)
        await asyncio.wait_for(stopping.end(tasks), 20)
        return tasks

    monkeypatch.setattr(stopping, "_AGAIN_S", 0.01)
    with caplog.at_level(logging.ERROR):
        tasks = asyncio.run(main())
        assert [task.cancelled() for task in tasks] == [True, False, True]
        del tasks
    assert caplog.records == [], "what came of them is nobody's trouble"
