"""Problems of a component that its supervisor reports as running."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.stack import Component
from plumbline.targets.embedded import condition

NOW = datetime.now(UTC)
HANGS = "no answer within 3 s"
REFUSES = "port 1: Connection refused"


def seen(age: timedelta, **found: object) -> Component:
    component = Component("backend", "running", (NOW - age).isoformat(), 7)
    given = {"strays": [], "ended": [], "silence": None} | found
    return condition.judged(component, **given, now=NOW)  # type: ignore[arg-type]


def test_one_that_answers_runs() -> None:
    assert seen(timedelta(hours=1)).state == "running"


@pytest.mark.parametrize(
    ("age", "found", "words"),
    [
        (timedelta(hours=1), {"silence": HANGS}, "pid 7 hangs: no answer within 3 s"),
        (timedelta(hours=1), {"silence": REFUSES}, "pid 7 hangs: port 1: Connection refused"),
        (timedelta(seconds=2), {"silence": HANGS}, "pid 7 hangs"),
        (timedelta(hours=1), {"strays": [8, 9]}, "pid 8, 9 is left over from an earlier start"),
        (timedelta(seconds=2), {"ended": ["exit status 1"] * 4}, "ended 4 times in 5 minutes, last by exit status 1"),
    ],
)
def test_a_problem_is_reported_with_its_solution(age: timedelta, found: dict[str, object], words: str) -> None:
    component = seen(age, **found)
    assert component.state == "failed"
    assert words in component.detail


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(seconds=2), {"silence": REFUSES}),  # it is starting
        (timedelta(hours=1), {"ended": ["exit status 1"] * 4}),  # it has got over it
        (timedelta(seconds=2), {"ended": ["terminated by SIGKILL"]}),  # once is no loop
    ],
)
def test_temporary_conditions_are_not_reported(age: timedelta, found: dict[str, object]) -> None:
    assert seen(age, **found).state == "running"


def test_only_what_ended_by_itself_and_lately_counts() -> None:
    def line(minutes_ago: int, words: str) -> str:
        at = (NOW - timedelta(minutes=minutes_ago)).astimezone()
        return f"{at:%Y-%m-%d %H:%M:%S},123 {words}\n"

    log = (
        line(9, "WARN exited: backend (exit status 1; not expected)")
        + line(2, "WARN exited: backend (exit status 3; not expected)")
        + line(1, "INFO stopped: backend (exit status 0)")
        + line(1, "WARN exited: backend-2 (exit status 4; not expected)")
        + line(0, "WARN exited: backend (terminated by SIGKILL; not expected)")
    )
    assert condition.ends(log, "backend", NOW) == ["exit status 3", "terminated by SIGKILL"]
