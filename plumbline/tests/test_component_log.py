"""A component's log in a terminal."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from plumbline import component_log

SERVICE = '{"ts": "2026-11-29T10:00:00.000Z", "level": "info", "service": "backend", "message": "ready"}'
CADDY = '{"level":"warn","ts":1764410400.5,"logger":"tls","msg":"no key","name":"chat"}'


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (SERVICE, "2026-11-29T10:00:00.000Z INFO     backend         ready"),
        (CADDY, '2025-11-29T10:00:00.500+00:00 WARNING  tls             no key {"name": "chat"}'),
        ("LOG:  checkpoint starting: time", "LOG:  checkpoint starting: time"),
        ('{"level": "info"}', '{"level": "info"}'),
        ('{"msg": 1, "ts": "never", "level": "info"}', '{"msg": 1, "ts": "never", "level": "info"}'),
        ("[1]", "[1]"),
    ],
)
def test_entries_are_shown_with_their_time_and_other_lines_as_they_are(line: str, shown: str) -> None:
    assert component_log.readable(line) == shown


def test_an_entry_of_any_level_fits_a_terminal() -> None:
    shown = component_log.readable(json.dumps({**json.loads(SERVICE), "message": "word " * 40}), 80)
    lines = re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_raw_lines_are_not_changed() -> None:
    assert list(component_log.last_lines(lambda _: [CADDY], None, raw=True)) == [CADDY]


@pytest.mark.parametrize(
    "states",
    [
        [["a", "b"], ["a", "b", "c"], ["a", "b", "c"], ["b", "c", "d", "e"]],
        [["a", "b"], ["b", "c"], ["d", "e"]],
        [[], ["a", "b", "c"], ["d", "e"]],
    ],
    ids=["the log grows", "the log is rotated", "the log was empty"],
)
def test_each_new_line_is_shown_once(states: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component_log.time, "sleep", lambda _: None)
    later = itertools.chain(states, itertools.repeat(states[-1]))
    shown = list(itertools.islice(component_log.follow(lambda _: next(later), None), 5))
    assert shown == ["a", "b", "c", "d", "e"]
