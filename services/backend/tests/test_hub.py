"""Closing all sockets of a process."""

from __future__ import annotations

import asyncio
from typing import Any

from backend.live.hub import SERVICE_RESTART, Hub, Socket


class SilentWebSocket:
    """A WebSocket without incoming frames; records its close code."""

    def __init__(self) -> None:
        self.closed_with: int | None = None

    async def receive(self) -> dict[str, Any]:
        return await asyncio.Future()

    async def close(self, code: int, reason: str) -> None:
        self.closed_with = code


def test_close_all_closes_sockets_that_are_added_meanwhile() -> None:
    async def served(hub: Hub, end: SilentWebSocket) -> None:
        socket = Socket(end, 1, "session", 10)  # type: ignore[arg-type]
        hub.add(socket)
        try:
            await socket.run(lambda _: asyncio.sleep(0))
        finally:
            hub.remove(socket)

    async def main() -> None:
        hub, early, late = Hub(), SilentWebSocket(), SilentWebSocket()
        await hub.close_all(SERVICE_RESTART)
        hub = Hub()
        first = asyncio.create_task(served(hub, early))
        await asyncio.sleep(0)
        ending = asyncio.create_task(hub.close_all(SERVICE_RESTART))
        await asyncio.sleep(0)
        assert not ending.done()
        second = asyncio.create_task(served(hub, late))
        await asyncio.wait_for(asyncio.gather(ending, first, second), 5)
        assert (early.closed_with, late.closed_with) == (SERVICE_RESTART, SERVICE_RESTART)
        assert hub.users() == []

    asyncio.run(main())
