"""An outage of the recorder causes few messages about itself, however many entries wait meanwhile.

Protects from an outage of the recorder that causes ever more entries about itself.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

import pytest
import redis
import requests

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.throwaway import wait_for_value

pytestmark = pytest.mark.disrupt

FORWARDERS = 7
"""One in each server process of backend and data-processor, and in each process of the worker."""
FIRST_ATTEMPTS, ATTEMPTS_PER_SECOND = 6, 0.5
"""Most attempts of one forwarder during an outage: in the beginning, and per second from then on."""
READS = 20
LINES = 10_000


def log_since(target: Target, component: str, mark: str) -> list[str]:
    """Return the lines of a component's own log since the one with `mark`."""
    lines = target.log_tail(component, LINES)
    first = next((number for number, line in enumerate(lines) if mark in line), None)
    return [] if first is None else lines[first:]


@pytest.mark.parametrize("warnings", [40, 400])
def test_messages_about_a_log_sink_outage_grow_with_time_and_not_with_traffic(
    target: Target, alice: User, stack: Stack, redis_client: redis.Redis, warnings: int
) -> None:
    mark = f"loop-{time.time_ns():x}"
    marks = [f"{mark}-{number:03}" for number in range(warnings)]

    def troubles() -> list[str]:
        return [line for line in log_since(target, "backend", mark) if "log forwarding" in line]

    recorder.log_warnings(stack, alice, mark)
    begun_at = datetime.now(UTC)
    target.stop("log-sink")
    begun = time.monotonic()
    try:
        requests.get(f"{stack.base_url}/{mark}", timeout=TIMEOUT_S)
        recorder.log_warnings(stack, alice, *marks)
        for _ in range(READS):
            assert requests.get(f"{stack.base_url}/logs/health", timeout=TIMEOUT_S).status_code == 502
        wait_for_value(troubles, bool, "a forwarder of the backend to log the outage")
    finally:
        target.start("log-sink")
    recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "last warning")
    attempts = FORWARDERS * (FIRST_ATTEMPTS + math.ceil((time.monotonic() - begun) * ATTEMPTS_PER_SECOND))
    # Services: one line per outage and process, in their own logs only.
    assert len(troubles()) <= FORWARDERS
    # Caddy: one line per attempt, in its own log only, and two per request to the front door.
    assert len(log_since(target, "caddy", mark)) <= attempts + 2 * (READS + 1)
    # Earlier outages, such as one of Redis, may have left entries.
    held = [one for one in recorder.stream(redis_client) if datetime.fromisoformat(one["ts"]) >= begun_at]
    assert not [one for one in held if "log forwarding" in one["message"]]
    assert not [one for one in held if "/ingest" in one["message"]]
    assert len([one for one in held if one["service"] == "caddy" and "/logs" in one["message"]]) <= 1
