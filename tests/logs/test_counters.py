"""The counters balance, and entries around a restart are counted.

Protects from entries that vanish without being counted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import redis

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.contract import LOG_CAP
from plumbline.verification.checks.intake import Intake
from plumbline.verification.throwaway import wait_for_value

pytestmark = pytest.mark.disrupt

MESSAGE = "plumbline check: before a stop"


def received_of_backend(shown: dict[str, Any]) -> int:
    return int(shown["by_service"].get("backend", {"received": 0})["received"])


def wait_for_backend(read: Callable[[], dict[str, Any]], count: int) -> None:
    """Wait until the recorder has received so many entries of the backend."""
    wait_for_value(
        lambda: received_of_backend(read()),
        lambda found: found >= count,
        f"{count} entries of the backend to be counted",
    )


def test_entries_logged_during_an_outage_of_the_log_sink_are_counted_later(
    target: Target, alice: User, stack: Stack
) -> None:
    with recorder.counter_reader(stack) as read:
        before = received_of_backend(read())
        recorder.log_burst(stack, alice, "ahead")
        target.stop("log-sink")
        try:
            recorder.log_burst(stack, alice, "away")
        finally:
            target.start("log-sink")
        wait_for_backend(read, before + 2 * recorder.BURST)
        assert recorder.counters_balance(read())


@pytest.mark.parametrize("component", ["backend", "caddy"])
def test_entries_logged_before_a_stop_are_counted(target: Target, alice: User, stack: Stack, component: str) -> None:
    with recorder.counter_reader(stack) as read:
        before = received_of_backend(read())
    recorder.log_burst(stack, alice, f"before-stop-{component}")
    target.stop(component)
    target.start(component)
    with recorder.counter_reader(stack) as read:
        wait_for_backend(read, before + recorder.BURST)
        assert recorder.counters_balance(read())


def test_faults_before_a_stop_of_the_data_processor_are_counted(
    target: Target, stack: Stack, redis_client: redis.Redis
) -> None:
    path, count = "/data-processor/templates/", 20
    before = recorder.received(redis_client, "data-processor")
    recorder.send_bad_token(stack, redis_client, path, "data-processor")
    with net.direct_session() as http:
        http.headers["Authorization"] = "Bearer not.a.token"
        assert {http.get(stack.base_url + path, timeout=TIMEOUT_S).status_code for _ in range(count)} == {401}
    target.stop("data-processor")
    target.start("data-processor")
    wait_for_value(
        lambda: recorder.received(redis_client, "data-processor") - before,
        lambda found: found >= count + 1,
        f"{count + 1} bad tokens to be counted that the data-processor refused before it was stopped",
    )


def test_entries_that_the_log_sink_has_taken_are_stored_when_it_stops(
    target: Target, stack: Stack, redis_client: redis.Redis
) -> None:
    intake, logger = Intake.of(stack), f"stop-{secrets.token_hex(4)}"
    # After the first batch the log-sink waits a moment: it has the second one in memory.
    for first in (0, 150):
        intake.hand_in(*(
            {"logger": logger, "message": f"{MESSAGE} {first + number}"} for number in range(150)
        ))  # fmt: skip
    target.stop("log-sink")
    held = [one["message"] for one in recorder.stream(redis_client) if one["logger"] == logger]
    target.start("log-sink")
    found = (held[-1:], len(held) >= LOG_CAP - 20)
    assert found == ([f"{MESSAGE} 299"], True), (
        f"log-sink: of 300 entries that it took before a stop it kept {len(held)}"
    )
