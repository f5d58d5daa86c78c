"""Requests are served unless every thread is blocked by one that does not end."""

from __future__ import annotations

import pytest
from data_processor.web import turns
from data_processor.web.turns import Turns


def test_stuck_threads_are_distinguished_from_busy_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    both = Turns(2)
    with both.one():
        now += 10 * turns.STUCK_S
        assert both.taken(), "one is free"
        with both.one():
            assert both.taken(), "the last one was free until recently"
            now += turns.STUCK_S
            assert not both.taken()
        assert both.taken()
    assert both.taken()
