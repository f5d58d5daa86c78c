"""The sink's floor: what one writes first. Reads a line, sends one XADD, waits for it, reads the next."""

from __future__ import annotations

import asyncio
import os

import redis.asyncio
import uvloop
from servicekit.facts import LOG_CAP, LOG_STREAM

COUNT_KEY = "plain:count"
"""Where it says, at the end of a connection, how many lines it has written."""


async def serve(redis_url: str, port: int) -> None:
    """Serve for ever."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        async for line in reader:
            await client.xadd(LOG_STREAM, {"entry": line.rstrip()}, maxlen=LOG_CAP, approximate=False)
            taken += 1
        await client.incrby(COUNT_KEY, taken)
        writer.close()

    await (await asyncio.start_server(take, "127.0.0.1", port)).serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(os.environ["PLUMBLINE_REDIS_URL"], int(os.environ["PLUMBLINE_INGEST_PORT"])))
