"""What a fault leaves behind while a service logs as fast as it can: memory held meanwhile, and what arrives after."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from redis.exceptions import RedisError
from servicekit.facts import LOG_STREAM

from benchmarks.interference.faults import CHATTER, Fault, Stack
from plumbline.verification.throwaway import wait_until

_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Aftermath:
    """`grown` bytes of the backend and of the log-sink; seconds until an entry from after the fault was kept."""

    backend: int
    sink: int
    newest_s: float


def aftermath(stack: Stack, fault: Fault) -> Aftermath:
    """Let the backend log through the fault, end it, and wait for the newest entry."""
    before = {name: stack.memory(name) for name in ("backend", "log-sink")}
    stack.say(CHATTER)
    if fault.warnings:
        fault.begin()
    time.sleep(_SECONDS)
    most = {name: stack.memory(name) for name in before}
    if fault.warnings:
        fault.end()
    ended_at = time.time()
    wait_until(lambda: _newest(stack) >= ended_at, "entries from after the fault arrive")
    arrived_s = time.time() - ended_at
    stack.say(0)
    grown = {name: max(0, most[name] - before[name]) for name in before}
    # A log-sink that was not there has no memory to speak of.
    return Aftermath(grown["backend"], grown["log-sink"], arrived_s)


def _newest(stack: Stack) -> float:
    try:
        held: Any = stack.redis.xrevrange(LOG_STREAM, count=1)
    except RedisError:
        return 0.0
    return datetime.fromisoformat(orjson.loads(held[0][1][b"entry"])["ts"]).timestamp() if held else 0.0
