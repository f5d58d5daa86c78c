"""What works in the background ends when it is told to, though it misses being told once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio as aioredis
from backend.live.events import EventBus
from backend.live.hub import COME_AGAIN, Hub, Socket
from servicekit import stopping

from plumbline.net import free_port
from plumbline.verification.throwaway import misses_a_cancellation

_PATIENCE_S = 20


class Asking:
    """The other end of a socket that asks for something, and keeps what it was closed with."""

    def __init__(self) -> None:
        self.closed_with: int | None = None

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.receive", "text": "something"}

    async def close(self, code: int, reason: str = "") -> None:
        self.closed_with = code


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_AGAIN_S", 0.01)


def test_a_socket_whose_frame_is_being_handled() -> None:
    async def main() -> None:
        asking, handling = Asking(), asyncio.Event()

        async def handle(_: object) -> None:
            handling.set()
            await misses_a_cancellation()

        socket = Socket(asking, 1, 10)  # type: ignore[arg-type]
        async with asyncio.timeout(_PATIENCE_S):
            running = asyncio.create_task(socket.run(handle))
            await handling.wait()
            socket.end(COME_AGAIN)
            await running
        assert asking.closed_with == COME_AGAIN

    asyncio.run(main())


def test_the_bus_of_events() -> None:
    async def main() -> None:
        redis = aioredis.Redis(port=free_port())
        bus = EventBus(redis, None, Hub())  # type: ignore[arg-type]
        async with asyncio.timeout(_PATIENCE_S):
            async with bus.running():
                bus._tasks.append(asyncio.create_task(misses_a_cancellation()))
                await asyncio.sleep(0)
        await redis.aclose()

    asyncio.run(main())
