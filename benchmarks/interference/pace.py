"""Requests at an even pace, far from what the server could answer, and how long each took."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import uvloop

from benchmarks.load.round import LoadError

CONNECTIONS = 8
PACE_S = 0.02
_SILENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Paced:
    """`request` on 127.0.0.1:`port`, by each of `CONNECTIONS` every `PACE_S`, for `seconds`."""

    port: int
    request: bytes
    seconds: float


def latencies(task: Paced) -> list[float]:
    """Return seconds from when each request was due to the end of its answer. Raises LoadError."""
    return uvloop.run(_all(task))


async def _all(task: Paced) -> list[float]:
    begin = time.perf_counter() + 0.05
    ones = [_one(task, begin + number * PACE_S / CONNECTIONS) for number in range(CONNECTIONS)]
    async with asyncio.timeout(task.seconds + _SILENCE_S):
        return [seconds for part in await asyncio.gather(*ones) for seconds in part]


async def _one(task: Paced, begin: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", task.port)
    taken: list[float] = []
    try:
        for number in range(int(task.seconds / PACE_S)):
            due = begin + number * PACE_S
            await asyncio.sleep(due - time.perf_counter())
            # The loop's timers come a little late; an answer before that did is what makes a request late.
            sent = due if taken and taken[-1] > PACE_S else time.perf_counter()
            writer.write(task.request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise LoadError(f"200 was wanted; the answer begins: {head[:300]!r}")
            length = int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            taken.append(time.perf_counter() - sent)
    finally:
        writer.close()
    return taken
