"""Faults that clients cause: one entry per kind and minute with their number, and never more than a small share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import redis
from log_sink.buffer import Buffer, Cell
from log_sink.store import Kept, Store, connect, newest_of
from redis.credentials import UsernamePasswordCredentialProvider
from servicekit.facts import FAULTS_KEPT, LOG_CAP, LOG_STREAM

from plumbline.verification.throwaway import REDIS_PASSWORD, RedisServer

BACKEND = Cell("backend", "warning")
PROCESSOR = Cell("data-processor", "warning")
CADDY = Cell("caddy", "error")
NEVER, AT_ONCE = 3600.0, 0.001
"""How long faults are folded."""


def run(url: str, work: Callable[[list[Store]], Awaitable[Any]], folded_s: float = NEVER) -> Any:
    async def main() -> Any:
        clients = [connect(url, UsernamePasswordCredentialProvider(password=REDIS_PASSWORD), 5) for _ in range(2)]
        try:
            return await work([Store(client, folded_s) for client in clients])
        finally:
            for client in clients:
                await client.aclose()

    return asyncio.run(main())


def raw(message: str) -> dict[str, str]:
    return {"message": message}


async def put(store: Store, *faults: tuple[Cell, str, int], entries: int = 0, name: str = "m") -> None:
    buffer = Buffer()
    for cell, kind, count in faults:
        buffer.count(cell, kind, raw(f"{name} {kind}"), count)
    buffer.add([(BACKEND, raw(f"entry {name} {number}")) for number in range(entries)])
    await store.write(store.prepare(buffer.take_now()))


async def shown(store: Store) -> list[dict[str, Any]]:
    stats, kept = await store.read()
    counts = stats.as_dict()
    for part in (counts, *counts["by_service"].values(), *counts["by_level"].values()):
        assert part["received"] == part["kept"] + part["superseded"] + part["dropped"], counts
        assert min(part[name] for name in ("received", "kept", "superseded", "dropped")) >= 0
    assert counts["kept"] == len(kept) <= LOG_CAP
    for group in ("client", "request"):
        assert sum(one.group == group for one in kept) <= FAULTS_KEPT
    return [one.as_dict() for one in kept]


def test_the_first_is_recorded_at_once_and_the_others_are_counted(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], (BACKEND, "client.bad_token", 1), name="first")
        (only,) = await shown(stores[0])
        assert (only["message"], only["kind"], only["count"]) == ("first client.bad_token", "client.bad_token", 1)
        # Another process of the service, through another sink.
        await put(stores[1], (BACKEND, "client.bad_token", 249), name="later")
        (only,) = await shown(stores[0])
        assert (only["message"], only["count"]) == ("first client.bad_token", 250)
        stats = (await stores[0].stats()).as_dict()
        assert (stats["received"], stats["kept"], stats["superseded"]) == (250, 1, 249)

    run(redis_server.url, work)


def test_when_the_minute_is_over_one_entry_has_the_number(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        never = stores[0]
        await put(never, (BACKEND, "client.bad_token", 1), name="first")
        await put(never, (BACKEND, "client.bad_token", 56))
        await put(never, entries=3)
        before = await shown(never)
        await end_minutes(empty_redis)
        await stores[1].close_windows()
        after = await shown(never)
        assert len(after) == len(before) == 4
        newest = after[0]
        assert (newest["message"], newest["count"]) == ("first client.bad_token", 57)
        assert newest["replaces"] == before[-1]["id"]
        assert newest["id"] > before[0]["id"]
        await put(never, (BACKEND, "client.bad_token", 1), name="second")
        assert [one["count"] for one in await shown(never) if "kind" in one] == [1, 57]

    run(redis_server.url, work)


def test_a_kind_whose_entry_gave_way_to_others_gets_a_new_one(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], entries=1)
        await put(stores[0], (BACKEND, "client.first", 1))
        for number in range(FAULTS_KEPT):
            await put(stores[0], (BACKEND, f"client.kind_{number}", 1))
        assert "client.first" not in {one.get("kind") for one in await shown(stores[0])}
        await put(stores[0], (BACKEND, "client.first", 3))
        newest = (await shown(stores[0]))[0]
        assert (newest.get("kind"), newest.get("count")) == ("client.first", 3)

    run(redis_server.url, work)


async def end_minutes(client: redis.Redis) -> None:
    """Move the end of every open minute into the past."""
    for name, value in client.hgetall(f"{LOG_STREAM}:counters").items():
        if name.startswith(b"open|"):
            client.hset(f"{LOG_STREAM}:counters", name, b"1 " + value.split(b" ", 1)[1])


def test_one_fault_is_not_recorded_twice(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], (BACKEND, "client.bad_token", 1))
        before = await shown(stores[0])
        await end_minutes(empty_redis)
        await stores[0].close_windows()
        assert await shown(stores[0]) == before

    run(redis_server.url, work)


def test_no_mixture_of_kinds_services_and_numbers_supersedes_an_entry(
    redis_server: RedisServer, empty_redis: redis.Redis
) -> None:
    choice = random.Random(16)
    kinds = [f"{group}.kind_{number}" for group in ("client", "request") for number in range(40)]

    async def work(stores: list[Store]) -> None:
        mine = LOG_CAP - 2 * FAULTS_KEPT
        await put(stores[0], entries=mine, name="mine")
        for number in range(120):
            faults = [
                (choice.choice((BACKEND, PROCESSOR, CADDY)), choice.choice(kinds), choice.choice((1, 2, 1000)))
                for _ in range(choice.randrange(1, 12))
            ]
            await put(choice.choice(stores), *faults, name=str(number))
            if number % 7 == 0:
                await end_minutes(empty_redis)
            if number % 11 == 0:
                await stores[1].close_windows()
            held = await shown(stores[0])
            assert sum(one["message"].startswith("entry mine") for one in held) == mine
            assert len({one["id"] for one in held}) == len(held)

    run(redis_server.url, work)


def test_the_share_holds_if_every_fault_has_its_own_minute(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], entries=50, name="mine")
        for number in range(60):
            await put(stores[0], (BACKEND, "client.bad_token", 1 + number % 3), name=str(number))
            await asyncio.sleep(0.002)
        held = await shown(stores[0])
        assert len(held) == 50 + FAULTS_KEPT
        assert held[0]["message"] == "59 client.bad_token"

    run(redis_server.url, work, AT_ONCE)


def test_superseded_faults_are_still_counted(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], (BACKEND, "client.bad_token", 5))
        await put(stores[0], entries=LOG_CAP)
        await put(stores[0], (BACKEND, "client.bad_token", 5), name="new window")
        (newest, *_) = held = await shown(stores[0])
        assert (newest["message"], newest["count"]) == ("new window client.bad_token", 5)
        assert len(held) == LOG_CAP
        await put(stores[0], entries=LOG_CAP)
        await end_minutes(empty_redis)
        await stores[0].close_windows()
        assert len(await shown(stores[0])) == LOG_CAP
        assert (await stores[0].stats()).as_dict()["received"] == 2 * LOG_CAP + 10

    run(redis_server.url, work)


def test_counters_that_restart_keep_the_share(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        await put(stores[0], *[(BACKEND, f"client.kind_{number}", 1) for number in range(FAULTS_KEPT)])
        empty_redis.delete(f"{LOG_STREAM}:counters")
        await put(stores[0], *[(BACKEND, f"client.other_{number}", 1) for number in range(FAULTS_KEPT - 1)])
        held = await shown(stores[0])
        assert len(held) == FAULTS_KEPT
        assert held[-1]["kind"] == f"client.kind_{FAULTS_KEPT - 1}"

    run(redis_server.url, work)


def test_a_live_reader_keeps_the_same_entries_as_the_stream() -> None:
    mine = [Kept(1, number, b"{}") for number in range(1, 11)]
    faults = [Kept(1, 10 + number, b"{}", kind="client.bad_token") for number in range(1, 31)]
    after = Kept(1, 41, b"{}", "client.bad_token", 7, replaces=faults[-1].id)
    assert newest_of([*mine, *faults]) == [*mine, *faults[-FAULTS_KEPT:]]
    assert newest_of([*mine, *faults, after]) == [*mine, *faults[-FAULTS_KEPT:-1], after]
    many = [Kept(1, 100 + number, b"{}") for number in range(LOG_CAP + 5)]
    assert newest_of([*mine, *faults, *many]) == many[5:]
