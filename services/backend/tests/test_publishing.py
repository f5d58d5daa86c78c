"""An event that Redis passes on, but does not confirm in time, reaches each socket once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio as aioredis
from backend.live import events
from backend.live.events import EventBus
from servicekit.events import Event, encode
from servicekit.facts import EVENTS_CHANNEL

from plumbline.verification.throwaway import RedisServer, throwaway_redis

USER = 7
FRAME = {"type": "message_created", "content": "once"}


@pytest.mark.parametrize("order", ["back before the time is over", "back afterwards", "lost"])
def test_an_event_that_redis_does_not_confirm_is_delivered_once(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PUBLISH_TIMEOUT_S", 0.5)
    with throwaway_redis() as server:
        assert asyncio.run(_delivered(server, order)) == 1


async def _delivered(server: RedisServer, order: str) -> int:
    """Publish an event, and return how often it was delivered once both ways are over."""
    told: list[str] = []
    hub = SimpleNamespace(users=lambda: {USER}, deliver=lambda _users, text, **_: told.append(text))
    log_of_events = SimpleNamespace(arrived=lambda _: None, lost=lambda _: None)
    async with aioredis.Redis.from_url(server.admin_url) as own, aioredis.Redis.from_url(server.admin_url) as other:
        taken: list[tuple[Any, Any]] = []

        async def unconfirmed(channel: Any, message: Any) -> None:
            if order == "back before the time is over":
                await other.publish(channel, message)
            taken.append((channel, message))
            await asyncio.sleep(60)

        own.publish = unconfirmed  # type: ignore[method-assign]
        bus = EventBus(own, None, hub, None, log_of_events)  # type: ignore[arg-type]
        async with asyncio.timeout(30), bus.running():
            while not await bus.is_connected():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            bus.emit(None, FRAME, [USER], event_id=1)
            while not taken or await bus.is_connected():  # noqa: ASYNC110  # until the time to confirm is over
                await asyncio.sleep(0.01)
            if order == "back afterwards":
                await other.publish(*taken[0])
            await other.publish(EVENTS_CHANNEL, encode(Event(None, {"type": "after"}, [USER], None, 2)))
            while not any('"after"' in text for text in told):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    return sum('"once"' in text for text in told)
