"""The counters balance, and entries around a restart are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_for_value

pytestmark = pytest.mark.disrupt


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
