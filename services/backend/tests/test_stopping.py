"""Background tasks stop even if they miss one cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio as aioredis
from backend.live.events import EventBus
from backend.live.hub import SERVICE_RESTART, Hub, Socket
from servicekit import stopping

from plumbline.net import free_port
from plumbline.verification.throwaway import misses_a_cancellation

_TIMEOUT_S = 20


class BusyWebSocket:
    """A WebSocket with endless incoming frames; records its close code."""

    def __init__(self) -> None:
        self.closed_with: int | None = None

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.receive", "text": "something"}

    async def close(self, code: int, reason: str = "") -> None:
        self.closed_with = code


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_AGAIN_S", 0.01)


def test_a_socket_closes_while_a_frame_is_handled() -> None:
    async def main() -> None:
        websocket, handling = BusyWebSocket(), asyncio.Event()

        async def handle(_: object) -> None:
            handling.set()
            await misses_a_cancellation()

        socket = Socket(websocket, 1, "session", 10)  # type: ignore[arg-type]
        async with asyncio.timeout(_TIMEOUT_S):
            running = asyncio.create_task(socket.run(handle))
            await handling.wait()
            socket.close(SERVICE_RESTART)
            await running
        assert websocket.closed_with == SERVICE_RESTART

    asyncio.run(main())


def test_the_event_bus_stops() -> None:
    async def main() -> None:
        redis = aioredis.Redis(port=free_port())
        bus = EventBus(redis, None, Hub(), None, None)  # type: ignore[arg-type]
        async with asyncio.timeout(_TIMEOUT_S):
            async with bus.running():
                bus._tasks.append(asyncio.create_task(misses_a_cancellation()))
                await asyncio.sleep(0)
        await redis.aclose()

    asyncio.run(main())
