"""The floor of the sink: reads a request, sends one XADD per line, and waits for each."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import redis.asyncio
import uvloop
from servicekit.facts import LOG_CAP, LOG_STREAM

COUNT_KEY = "plain:count"
"""Key in Redis of the number of lines written so far."""
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


async def serve(redis_url: str, port: int) -> None:
    """Serve until the process is ended."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                lines = (await reader.readexactly(length)).splitlines()
                for line in lines:
                    await client.xadd(LOG_STREAM, {"entry": line}, maxlen=LOG_CAP, approximate=False)
                await client.incrby(COUNT_KEY, len(lines))
                writer.write(_ANSWER)
        writer.close()

    await (await asyncio.start_server(take, "127.0.0.1", port)).serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(os.environ["PLUMBLINE_REDIS_URL"], int(os.environ["PLUMBLINE_INGEST_PORT"])))
