"""What the recorder holds, read from its Redis stream and from its API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import redis
from servicekit.facts import LOG_STREAM

PATIENCE_S = 20.0


def stream(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the entries of the stream as they are in Redis, oldest first."""
    held: Any = client.xrange(LOG_STREAM)
    return [orjson.loads(fields["entry"]) for _, fields in held]


def wait_for(client: redis.Redis, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Return the newest entry that is `wanted`; fail, saying what was looked for, if none arrives in time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        held = stream(client)
        for entry in reversed(held):
            if wanted(entry):
                return dict(entry)
        if time.monotonic() > deadline:
            newest = "\n  ".join(f"{one['service']} {one['level']} {one['message']}" for one in held[-5:])
            raise AssertionError(f"the recorder has no {what} after {PATIENCE_S:g} s; its newest entries:\n  {newest}")
        time.sleep(0.05)


class Lengths:
    """Lengths of the stream that a sampler saw."""

    def __init__(self) -> None:
        self.samples = 0
        self.longest = 0

    def add(self, length: int) -> None:
        """Take one sample."""
        self.samples += 1
        self.longest = max(self.longest, length)


@contextmanager
def sampled_length(url: str) -> Iterator[Lengths]:
    """Sample the stream's length as fast as Redis answers, on a thread of its own, for as long as the block runs."""
    lengths = Lengths()
    done = threading.Event()
    started = threading.Event()

    def sample() -> None:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            while not done.is_set():
                lengths.add(int(client.xlen(LOG_STREAM)))
                started.set()

    thread = threading.Thread(target=sample, name="stream-length")
    thread.start()
    try:
        assert started.wait(PATIENCE_S), "the stream's length could not be sampled"
        yield lengths
    finally:
        done.set()
        thread.join()
