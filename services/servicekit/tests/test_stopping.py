"""Cancelled tasks end."""

from __future__ import annotations

import asyncio
import logging

from servicekit import stopping

from plumbline.verification.throwaway import misses_a_cancellation


def test_a_task_that_misses_a_cancellation_is_cancelled_again(monkeypatch, caplog):
    async def fails() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise LookupError

    async def main() -> tuple[list[asyncio.Task[None]], list[object]]:
        tasks = [asyncio.create_task(work()) for work in (misses_a_cancellation, fails, misses_a_cancellation)]
        await asyncio.sleep(0)
        return tasks, await asyncio.wait_for(stopping.end(tasks), 20)

    monkeypatch.setattr(stopping, "_AGAIN_S", 0.01)
    with caplog.at_level(logging.ERROR):
        tasks, outcomes = asyncio.run(main())
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, LookupError, asyncio.CancelledError]
        assert all(task.done() for task in tasks)
        del tasks, outcomes
    assert caplog.records == [], "their results are not logged"
