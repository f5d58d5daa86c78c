"""What happens to a batch that cannot be written at once. On a real Redis that comes and goes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis
from log_sink import store
from log_sink.buffer import Buffer, Cell
from log_sink.store import Store, connect
from log_sink.writer import Writer
from redis.asyncio import Redis
from servicekit.facts import LOG_CAP, LOG_STREAM
from servicekit.stopping import end

from plumbline.verification.throwaway import REDIS_PASSWORD, RedisServer

CELL = Cell("backend", "warning")
_PATIENCE_S = 20


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)


@asynccontextmanager
async def at_work(writer: Writer) -> AsyncIterator[None]:
    """Let a writer write as long as the context lasts."""
    running = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        await end([running])


@asynccontextmanager
async def parts_for(server: RedisServer) -> AsyncIterator[tuple[Redis, Buffer, Writer]]:
    """Yield a client of the Redis, a buffer, and a writer from the one to the other."""
    client = connect(server.url, REDIS_PASSWORD, 5)
    buffer = Buffer()
    yield client, buffer, Writer(buffer, Store(client))
    await client.aclose()


def has_written(writer: Writer) -> bool:
    return writer._prepared is not None and writer._taken is None


def put(buffer: Buffer, *messages: str) -> None:
    buffer.add([(CELL, json.dumps({"message": message}).encode()) for message in messages])


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
                    await until(lambda: writer._prepared is not None)
                    put(buffer, *(f"later {number}" for number in range(2 * LOG_CAP)))
            finally:
                redis_server.start()
            await writer.finish()
            stats = (await Store(client).stats()).as_dict()
            assert (stats["received"], stats["superseded"]) == (2 * LOG_CAP + 1, LOG_CAP + 1)

    asyncio.run(main())
    assert kept(empty_redis) == [f"later {number}" for number in range(LOG_CAP, 2 * LOG_CAP)]


def test_a_batch_of_a_flood_that_is_not_ready_when_the_writer_ends_is_written_all_the_same(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def main() -> None:
        async with parts_for(redis_server) as (client, buffer, writer):
            put(buffer, "before")
            async with at_work(writer):
                await until(lambda: has_written(writer))
                put(buffer, *map(str, range(LOG_CAP)))
                await until(lambda: writer._taken is not None and writer._taken.rendered)
                assert len(writer._taken.rendered) < LOG_CAP
            await writer.finish()
            assert (await Store(client).stats()).as_dict()["received"] == LOG_CAP + 1

    asyncio.run(main())
    assert kept(empty_redis) == [str(number) for number in range(LOG_CAP)]


def test_what_was_written_is_not_written_again_at_the_end_though_redis_has_forgotten_the_batch(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def main() -> None:
        async with parts_for(redis_server) as (_, buffer, writer):
            put(buffer, "once")
            async with at_work(writer):
                await until(lambda: has_written(writer))
                assert empty_redis.delete(*empty_redis.keys(f"{LOG_STREAM}:sink:*")) == 1
            await writer.finish()

    asyncio.run(main())
    assert kept(empty_redis) == ["once"]


def test_in_a_flood_nothing_waits_until_a_whole_batch_is_ready(
    redis_server: RedisServer, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, rendered_in = 0, Counter[int]()
    rendered = store._rendered

    def render(cell: Cell, line: bytes) -> bytes:
        rendered_in[turns] += 1
        return rendered(cell, line)

    async def main() -> None:
        nonlocal turns
        async with parts_for(redis_server) as (client, buffer, writer):
            put(buffer, *map(str, range(LOG_CAP)))
            async with at_work(writer):
                async with asyncio.timeout(_PATIENCE_S):
                    while await client.xlen(LOG_STREAM) < LOG_CAP:
                        turns += 1

    monkeypatch.setattr(store, "_rendered", render)
    asyncio.run(main())
    assert rendered_in.total() == LOG_CAP
    assert max(rendered_in.values()) < LOG_CAP / 10
