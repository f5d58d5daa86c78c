"""What happens to a batch that cannot be written at once. On a real Redis that comes and goes."""

from __future__ import annotations

import asyncio
import json

import redis
from log_sink.buffer import Buffer, Cell
from log_sink.store import Store, connect
from log_sink.writer import Writer
from servicekit.facts import LOG_CAP, LOG_STREAM

from plumbline.testing import RedisServer

CELL = Cell("backend", "warning")


def put(buffer: Buffer, *messages: str) -> None:
    buffer.add([(CELL, json.dumps({"message": message}).encode()) for message in messages])


def kept(client: redis.Redis) -> list[str]:
    return [json.loads(fields[b"entry"])["message"] for _, fields in client.xrange(LOG_STREAM)]


def test_the_last_batch_is_written_when_the_writer_ends(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def main() -> None:
        client = connect(redis_server.url, 5)
        buffer = Buffer()
        put(buffer, "last words")
        await Writer(buffer, Store(client)).finish()
        await client.aclose()

    asyncio.run(main())
    assert kept(empty_redis) == ["last words"]


def test_a_batch_that_waits_for_redis_comes_before_what_arrived_later(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def main() -> None:
        client = connect(redis_server.url, 5)
        buffer = Buffer()
        writer = Writer(buffer, Store(client))
        redis_server.stop()
        try:
            put(buffer, "waits")
            running = asyncio.create_task(writer.run())
            while writer._waiting is None:  # noqa: ASYNC110
                await asyncio.sleep(0)
            put(buffer, *(f"later {number}" for number in range(2 * LOG_CAP)))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        finally:
            redis_server.start()
        await writer.finish()
        stats = (await Store(client).stats()).as_dict()
        assert (stats["received"], stats["superseded"]) == (2 * LOG_CAP + 1, LOG_CAP + 1)
        await client.aclose()

    asyncio.run(main())
    assert kept(empty_redis) == [f"later {number}" for number in range(LOG_CAP, 2 * LOG_CAP)]
