"""Received is kept, superseded and dropped, and nothing is lost uncounted when a part stops and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_until

pytestmark = pytest.mark.disrupt


def of_backend(shown: dict[str, Any]) -> int:
    return int(shown["by_service"].get("backend", {"received": 0})["received"])


def test_what_is_said_while_the_sink_is_away_is_counted_when_it_is_back(
    target: Target, alice: User, stack: Stack
) -> None:
    with recorder.counter_reader(stack) as read:
        before = of_backend(read())
        recorder.burst(stack, alice, "ahead")
        target.stop("log-sink")
        try:
            recorder.burst(stack, alice, "away")
        finally:
            target.start("log-sink")
        wait_until(lambda: of_backend(read()) - before >= 2 * recorder.BURST, "both bursts are counted")
        assert recorder.counters_balance(read())


@pytest.mark.parametrize("component", ["backend", "caddy"])
def test_what_is_said_right_before_a_stop_is_counted(target: Target, alice: User, stack: Stack, component: str) -> None:
    with recorder.counter_reader(stack) as read:
        before = of_backend(read())
    recorder.burst(stack, alice, f"last-words-{component}")
    target.stop(component)
    target.start(component)
    with recorder.counter_reader(stack) as read:
        wait_until(lambda: of_backend(read()) - before >= recorder.BURST, "the burst is counted")
        assert recorder.counters_balance(read())
