"""How all sockets of a process are let go."""

from __future__ import annotations

import asyncio
from typing import Any

from backend.live.hub import COME_AGAIN, Hub, Socket


class Silent:
    """The other end of a socket that says nothing, and keeps what it was closed with."""

    def __init__(self) -> None:
        self.closed_with: int | None = None

    async def receive(self) -> dict[str, Any]:
        return await asyncio.Future()

    async def close(self, code: int, reason: str) -> None:
        self.closed_with = code


def test_nobody_is_left_when_all_were_ended_not_even_who_came_meanwhile() -> None:
    async def served(hub: Hub, end: Silent) -> None:
        socket = Socket(end, 1, 10)  # type: ignore[arg-type]
        hub.add(socket)
        try:
            await socket.run(lambda _: asyncio.sleep(0))
        finally:
            hub.remove(socket)

    async def main() -> None:
        hub, early, late = Hub(), Silent(), Silent()
        await hub.end_all(COME_AGAIN)
        hub = Hub()
        first = asyncio.create_task(served(hub, early))
        await asyncio.sleep(0)
        ending = asyncio.create_task(hub.end_all(COME_AGAIN))
        await asyncio.sleep(0)
        assert not ending.done()
        second = asyncio.create_task(served(hub, late))
        await asyncio.wait_for(asyncio.gather(ending, first, second), 5)
        assert (early.closed_with, late.closed_with) == (COME_AGAIN, COME_AGAIN)
        assert hub.users() == []

    asyncio.run(main())
