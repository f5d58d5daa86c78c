"""The counters balance, and entries around a restart are counted."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_until

pytestmark = pytest.mark.disrupt


def received_of_backend(shown: dict[str, Any]) -> int:
    return int(shown["by_service"].get("backend", {"received": 0})["received"])


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
        wait_until(lambda: received_of_backend(read()) - before >= 2 * recorder.BURST, "both bursts are counted")
        assert recorder.counters_balance(read())


@pytest.mark.parametrize("component", ["backend", "caddy"])
def test_entries_logged_before_a_stop_are_counted(target: Target, alice: User, stack: Stack, component: str) -> None:
    with recorder.counter_reader(stack) as read:
        before = received_of_backend(read())
    recorder.log_burst(stack, alice, f"before-stop-{component}")
    target.stop(component)
    target.start(component)
    with recorder.counter_reader(stack) as read:
        wait_until(lambda: received_of_backend(read()) - before >= recorder.BURST, "the burst is counted")
        assert recorder.counters_balance(read())
