"""Requests get their turn unless every thread is at one that does not end."""

from __future__ import annotations

import pytest
from data_processor.web import turns
from data_processor.web.turns import Turns


def test_threads_that_are_all_stuck_are_told_from_threads_that_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    both = Turns(2)
    with both.one():
        now += 10 * turns.STUCK_S
        assert both.taken(), "one is free"
        with both.one():
            assert both.taken(), "the last one was free until now"
            now += turns.STUCK_S
            assert not both.taken()
        assert both.taken()
    assert both.taken()
