"""The recorder keeps the newest entries, up to its cap, in order, and nothing on disk.

Protects from a recorder that grows without a limit, drops new entries for old ones, or leaves them on a disk.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from plumbline import recorder as operator
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.checks.contract import LOG_CAP, LOG_STREAM
from plumbline.verification.throwaway import wait_for_value

FLOOD = 1_000_000


def marks_held(client: redis.Redis, name: str) -> list[str]:
    found = (re.search(rf"{name}-\d{{4}}", one["message"]) for one in recorder.stream(client))
    return [match.group() for match in found if match]


@pytest.mark.disrupt
def test_after_a_burst_the_stream_has_the_newest_entries_in_order(
    alice: User, stack: Stack, redis_client: redis.Redis
) -> None:
    with recorder.sample_length(stack.redis) as lengths:
        marks = recorder.log_burst(stack, alice, "burst")
        recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "last entry of the burst")
    assert lengths.samples > 20
    assert lengths.longest == LOG_CAP
    assert redis_client.xlen(LOG_STREAM) == LOG_CAP
    held = marks_held(redis_client, "burst")
    assert len(held) >= LOG_CAP - 20, "too many entries of others in the recorder"
    assert held == marks[-len(held) :]


@pytest.mark.disrupt
def test_the_list_shows_every_entry_that_is_kept(alice: User, stack: Stack, redis_client: redis.Redis) -> None:
    """Protects from an operator's list that shows less than there is."""
    marks = recorder.log_burst(stack, alice, "list")
    recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "last entry of the burst")
    shown = len(operator.entries(stack))
    assert shown == LOG_CAP, f"log-sink: /logs/entries without a limit shows {shown} of {LOG_CAP} entries"


@pytest.mark.disrupt
def test_the_counters_balance_after_a_burst(alice: User, stack: Stack, redis_client: redis.Redis) -> None:
    marks = recorder.log_burst(stack, alice, "count")
    recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "last entry of the burst")
    with recorder.counter_reader(stack) as read:
        shown = read()
    assert shown["kept"] == LOG_CAP
    assert shown["received"] >= recorder.BURST
    assert recorder.counters_balance(shown)


@pytest.mark.disrupt
def test_a_million_entries_through_two_more_log_sinks_stay_within_the_cap(
    alice: User, stack: Stack, redis_client: redis.Redis
) -> None:
    """Protects from a flood that fills the memory, because several log-sinks count for themselves."""
    names = ("flood-a", "flood-b")
    with (
        recorder.counter_reader(stack) as read,
        recorder.second_sink(stack) as first,
        recorder.second_sink(stack) as second,
        recorder.sample_length(stack.redis) as lengths,
        recorder.sample_counters(stack) as sampled,
        ThreadPoolExecutor(2) as pool,
    ):
        before = {name: received_of(read(), name) for name in names}
        floods = [pool.submit(sink.flood, name, FLOOD // 2) for sink, name in zip((first, second), names, strict=True)]
        # Meanwhile the stack's own log-sink receives entries of services.
        recorder.log_burst(stack, alice, "beside")
        for each in floods:
            each.result()
        wait_for_value(
            lambda: {name: received_of(read(), name) - before[name] for name in names},
            lambda counted: set(counted.values()) == {FLOOD // 2},
            f"{FLOOD // 2} entries of each log-sink to be counted",
        )
        shown = read()
    assert lengths.samples > 100
    assert lengths.longest == LOG_CAP
    assert shown["kept"] == redis_client.xlen(LOG_STREAM) == LOG_CAP
    assert recorder.counters_balance(shown)
    assert sampled.samples > 20
    assert not sampled.unbalanced, (
        f"log-sink: counters did not balance in {len(sampled.unbalanced)} of {sampled.samples} answers, first "
        f"{sampled.unbalanced[0]}; expected received = kept + superseded + dropped"
    )
    for name in names:
        assert shown["by_service"][name]["dropped"] == 0
        numbers = [int(one["message"]) for one in recorder.stream(redis_client) if one["service"] == name]
        # The newest of each log-sink, in order, without gaps.
        assert numbers == list(range(FLOOD // 2 - len(numbers), FLOOD // 2))


def received_of(shown: dict[str, Any], service: str) -> int:
    return int(shown["by_service"].get(service, {"received": 0})["received"])


def test_redis_writes_nothing_to_disk(redis_client: redis.Redis) -> None:
    persistence = redis_client.info("persistence")
    written = "redis: it writes to the disk; expected memory only. Next: compare docker/redis/redis.conf"
    assert persistence["aof_enabled"] == 0, f"{written} (aof_enabled is {persistence['aof_enabled']})"
    # Never saved since the start, despite changes.
    assert persistence["rdb_last_bgsave_time_sec"] == -1, f"{written} (a snapshot took its time)"
    assert persistence["rdb_changes_since_last_save"] > 0, f"{written} (no change since the last snapshot)"
    assert persistence["rdb_bgsave_in_progress"] == 0, f"{written} (a snapshot is being written)"


@pytest.mark.disrupt
def test_a_restarted_redis_starts_empty_and_fills_again(target: Target, alice: User, stack: Stack) -> None:
    """Protects from a recorder that stays silent after a restart of Redis."""
    with stack.redis.connect(decode_responses=True) as client:
        before = recorder.log_burst(stack, alice, "before")
        recorder.wait_for(client, lambda one: before[-1] in one["message"], "last entry of the burst")
    with recorder.counter_reader(stack) as read:
        since = read()["since"]
    target.stop("redis")
    target.start("redis")
    with stack.redis.connect(decode_responses=True) as client:
        assert marks_held(client, "before") == []
        assert client.xlen(LOG_STREAM) < LOG_CAP
        with recorder.counter_reader(stack) as read:
            assert read()["since"] > since, "since is later after a restart"
        after = recorder.log_burst(stack, alice, "after")
        recorder.wait_for(client, lambda one: after[-1] in one["message"], "last entry of the new burst")
        assert marks_held(client, "before") == []
        held = marks_held(client, "after")
        assert held == after[-len(held) :]
