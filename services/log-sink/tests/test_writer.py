"""A batch that cannot be written at once, on a real Redis that is interrupted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import redis
from log_sink.buffer import Buffer, Cell
from log_sink.store import Store, connect
from log_sink.writer import Writer
from redis.asyncio import Redis
from redis.credentials import UsernamePasswordCredentialProvider
from servicekit.facts import LOG_CAP, LOG_STREAM
from servicekit.stopping import end

from plumbline.verification.throwaway import REDIS_PASSWORD, RedisServer

CELL = Cell("backend", "warning")
_PATIENCE_S = 20


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.001)


@asynccontextmanager
async def at_work(writer: Writer) -> AsyncIterator[None]:
    """Run a writer while the context is open."""
    running = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        await end([running])


@asynccontextmanager
async def parts_for(server: RedisServer) -> AsyncIterator[tuple[Redis, Buffer, Writer]]:
    """Yield a Redis client, a buffer, and a writer between them."""
    client = connect(server.url, UsernamePasswordCredentialProvider(password=REDIS_PASSWORD), 5)
    buffer = Buffer()
    yield client, buffer, Writer(buffer, Store(client))
    await client.aclose()


def put(buffer: Buffer, *messages: str) -> None:
    buffer.add([(CELL, {"message": message}) for message in messages])


def kept(client: redis.Redis) -> list[str]:
    return [json.loads(fields[b"entry"])["message"] for _, fields in client.xrange(LOG_STREAM)]


def test_the_last_batch_is_written_when_the_writer_ends(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def main() -> None:
        async with parts_for(redis_server) as (_, buffer, writer):
            put(buffer, "last words")
            await writer.finish()

    asyncio.run(main())
    assert kept(empty_redis) == ["last words"]


def test_a_batch_that_waits_for_redis_comes_before_what_arrived_later(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def main() -> None:
        async with parts_for(redis_server) as (client, buffer, writer):
            redis_server.stop()
            try:
                put(buffer, "waits")
                async with at_work(writer):
                    await until(lambda: writer._unwritten is not None)
                    put(buffer, *(f"later {number}" for number in range(2 * LOG_CAP)))
            finally:
                redis_server.start()
            await writer.finish()
            stats = (await Store(client).stats()).as_dict()
            assert (stats["received"], stats["superseded"]) == (2 * LOG_CAP + 1, LOG_CAP + 1)

    asyncio.run(main())
    assert kept(empty_redis) == [f"later {number}" for number in range(LOG_CAP, 2 * LOG_CAP)]


def test_a_written_batch_is_not_written_again_at_the_end_if_redis_forgot_its_number(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def main() -> None:
        async with parts_for(redis_server) as (_, buffer, writer):
            put(buffer, "once")
            async with at_work(writer):
                await until(lambda: empty_redis.xlen(LOG_STREAM) and writer._unwritten is None)
                assert empty_redis.delete(*empty_redis.keys(f"{LOG_STREAM}:sink:*")) == 1
            await writer.finish()

    asyncio.run(main())
    assert kept(empty_redis) == ["once"]
