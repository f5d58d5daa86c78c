"""Trouble with the recorder makes few entries about itself, however much there is to record meanwhile."""

from __future__ import annotations

import math
import time

import pytest
import redis
import requests

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_until

pytestmark = pytest.mark.disrupt

FORWARDERS = 5
"""One in each process of backend, data-processor and worker."""
TRIES_SOON, TRIES_A_SECOND = 6, 0.5
"""How often one forwarder tries while nobody takes its entries, at most: at first, and from then on."""
READS = 20
LINES = 10_000


def said_since(target: Target, component: str, mark: str) -> list[str]:
    """Return what a component has written to its own log since it wrote `mark`."""
    lines = target.log_tail(component, LINES)
    first = next((number for number, line in enumerate(lines) if mark in line), None)
    return [] if first is None else lines[first:]


@pytest.mark.parametrize("warnings", [40, 400])
def test_what_is_said_of_a_sink_that_is_down_grows_with_time_and_not_with_traffic(
    target: Target, alice: User, stack: Stack, redis_client: redis.Redis, warnings: int
) -> None:
    mark = f"loop-{time.time_ns():x}"
    marks = [f"{mark}-{number:03}" for number in range(warnings)]

    def troubles() -> list[str]:
        return [line for line in said_since(target, "backend", mark) if "log forwarding" in line]

    recorder.warn(stack, alice, mark)
    target.stop("log-sink")
    begun = time.monotonic()
    try:
        requests.get(f"{stack.base_url}/{mark}", timeout=10)
        recorder.warn(stack, alice, *marks)
        for _ in range(READS):
            assert requests.get(f"{stack.base_url}/logs/health", timeout=10).status_code == 502
        wait_until(lambda: bool(troubles()), "a forwarder has met the sink away")
    finally:
        target.start("log-sink")
    recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "last warning")
    tries = FORWARDERS * (TRIES_SOON + math.ceil((time.monotonic() - begun) * TRIES_A_SECOND))
    # The services: one line an outage and process, in their own logs alone.
    assert len(troubles()) <= FORWARDERS
    # Caddy: a line a try, in its own log alone, and two for each reader at the front door.
    assert len(said_since(target, "caddy", mark)) <= tries + 2 * (READS + 1)
    held = recorder.stream(redis_client)
    assert not [one for one in held if "log forwarding" in one["message"]]
    assert not [one for one in held if "/ingest" in one["message"]]
    assert len([one for one in held if one["service"] == "caddy" and "/logs" in one["message"]]) <= 1
