"""The script, on a real Redis: its entries and its counters always agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from log_sink.buffer import Buffer, Cell
from log_sink.store import KINDS, Store, connect
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import ResponseError
from servicekit.facts import LOG_CAP, LOG_STREAM

from plumbline.verification.throwaway import REDIS_PASSWORD, RedisServer

CELLS = [Cell("backend", "warning"), Cell("backend", "error"), Cell("caddy", "error")]


def run(url: str, work: Callable[[list[Store]], Awaitable[Any]], sinks: int = 1) -> Any:
    async def main() -> Any:
        clients = [connect(url, UsernamePasswordCredentialProvider(password=REDIS_PASSWORD), 5) for _ in range(sinks)]
        try:
            return await work([Store(client) for client in clients])
        finally:
            for client in clients:
                await client.aclose()

    return asyncio.run(main())


def batch_of(cells: list[Cell], dropped: dict[Cell, int] | None = None, name: str = "m") -> Any:
    buffer = Buffer()
    buffer.add([(cell, {"message": f"{name}{n}"}) for n, cell in enumerate(cells)])
    for cell, count in (dropped or {}).items():
        buffer.drop(cell, count)
    return buffer.take_now()


def assert_sums(shown: dict[str, Any]) -> None:
    parts = [shown, *shown["by_service"].values(), *shown["by_level"].values()]
    for part in parts:
        assert part["received"] == part["kept"] + part["superseded"] + part["dropped"], shown
        assert min(part[kind] for kind in KINDS) >= 0
    for split in ("by_service", "by_level"):
        for kind in KINDS:
            assert sum(part[kind] for part in shown[split].values()) == shown[kind]


batches = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from([1, 7, 90, 200, 450])), max_size=4),
        st.dictionaries(st.sampled_from(CELLS), st.integers(1, 9), max_size=2),
        st.booleans(),
    ),
    max_size=8,
)


@given(batches)
@settings(
    deadline=None,
    max_examples=40,
    # Failing cases are small already; shrinking them on a real Redis takes minutes.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_everything_is_accounted_for(redis_server: RedisServer, empty_redis: redis.Redis, steps: list[Any]) -> None:
    empty_redis.flushdb()

    async def work(stores: list[Store]) -> None:
        received, arrived = 0, []
        for number, (sink, runs, dropped, twice) in enumerate(steps):
            cells = [cell for cell, count in runs for _ in range(count)]
            prepared = stores[sink].prepare(batch_of(cells, dropped, f"{number}-"))
            for _ in range(2 if twice else 1):
                await stores[sink].write(prepared)
            received += len(cells) + sum(dropped.values())
            arrived += [f"{number}-{n}" for n in range(len(cells))]
            shown = (await stores[1 - sink].stats()).as_dict()
            _, kept = await stores[0].read()
            assert shown["received"] == received
            assert shown["dropped"] == sum(sum(step[2].values()) for step in steps[: number + 1])
            assert shown["kept"] == len(kept) == min(LOG_CAP, len(arrived))
            assert_sums(shown)
            assert [json.loads(one.entry)["message"] for one in kept] == arrived[::-1][:LOG_CAP]

    run(redis_server.url, work, sinks=2)


def test_ids_show_how_many_arrivals_lie_between(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> list[int]:
        await stores[0].write(stores[0].prepare(batch_of(CELLS[:1] * 3)))
        await stores[0].write(stores[0].prepare(batch_of(CELLS[:1] * 1000)))
        return [kept.sequence for kept in (await stores[0].read())[1]]

    assert run(redis_server.url, work) == list(range(1003, 803, -1))


def test_a_batch_that_is_sent_again_is_not_counted_twice(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> dict[str, Any]:
        prepared = stores[0].prepare(batch_of(CELLS[:1]))
        await stores[0].write(prepared)
        await stores[0].write(prepared)
        await stores[0].write(stores[0].prepare(batch_of(CELLS[:1])))
        return (await stores[0].stats()).as_dict()

    assert run(redis_server.url, work)["received"] == 2


@pytest.mark.parametrize(
    "damage",
    ["DEL logs:recent", "XTRIM logs:recent MAXLEN 0", "XTRIM logs:recent MAXLEN 3", "DEL logs:recent:counters"],
)
def test_foreign_changes_of_the_keys_restart_the_counters(
    redis_server: RedisServer, empty_redis: redis.Redis, damage: str
) -> None:
    async def work(stores: list[Store]) -> None:
        await stores[0].write(stores[0].prepare(batch_of(CELLS * 100)))
        before = await stores[0].stats()
        empty_redis.execute_command(*damage.split())
        left = empty_redis.xlen(LOG_STREAM)
        after = await stores[0].stats()
        assert after.epoch > before.epoch
        assert after.as_dict()["received"] == after.as_dict()["kept"] == left
        await stores[0].write(stores[0].prepare(batch_of(CELLS)))
        shown = (await stores[0].stats()).as_dict()
        assert_sums(shown)
        assert empty_redis.xlen(LOG_STREAM) == min(LOG_CAP, left + 3)

    run(redis_server.url, work)


def test_a_foreign_entry_does_not_break_the_counters(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        await stores[0].write(stores[0].prepare(batch_of(CELLS * 100)))
        empty_redis.xadd(LOG_STREAM, {"hello": "world"})
        await stores[0].write(stores[0].prepare(batch_of(CELLS)))
        assert empty_redis.xlen(LOG_STREAM) == LOG_CAP
        assert_sums((await stores[0].stats()).as_dict())
        assert len([kept.as_dict() for kept in (await stores[0].read())[1]]) == LOG_CAP

    run(redis_server.url, work)


def test_keys_of_another_type_are_an_error(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    empty_redis.set(LOG_STREAM, "not a stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        run(redis_server.url, lambda stores: stores[0].stats())


def test_one_entry_that_cannot_be_built_does_not_stop_the_others(
    redis_server: RedisServer, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from log_sink import entries

    real = entries.build

    def build(raw: dict[str, Any], *rest: Any) -> bytes:
        if raw["message"] == "m1":
            raise RuntimeError("a seeded fault")
        return real(raw, *rest)

    monkeypatch.setattr(entries, "build", build)

    async def work(stores: list[Store]) -> list[str]:
        await stores[0].write(stores[0].prepare(batch_of(CELLS)))
        assert_sums((await stores[0].stats()).as_dict())
        return [json.loads(kept.entry)["message"] for kept in (await stores[0].read())[1]]

    newest, broken, oldest = run(redis_server.url, work)
    assert (newest, oldest) == ("m2", "m0")
    assert "could not be built" in broken


def test_counts_and_entries_are_of_one_instant(redis_server: RedisServer, empty_redis: redis.Redis) -> None:
    async def work(stores: list[Store]) -> None:
        async def write() -> None:
            for number in range(150):
                await stores[0].write(stores[0].prepare(batch_of(CELLS[:1] * 3, name=f"{number}-")))

        writing = asyncio.create_task(write())
        while not writing.done():
            stats, kept = await stores[1].read()
            assert stats.as_dict()["kept"] == len(kept)
            if kept:
                assert kept[0].sequence == stats.as_dict()["received"]
                assert {one.epoch for one in kept} == {stats.epoch}
        await writing

    run(redis_server.url, work, sinks=2)
