"""The live tail sends every entry once, in order, from where the reader was.

Protects from entries that a reader of the live tail misses, or gets twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.checks.recorder import events
from plumbline.verification.checks.sessions import Operator

NEXT = "Next: ./deploy-local.sh logs --component log-sink"
COUNT = 4


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


@pytest.fixture(scope="module")
def ids(target: Target, alice: User, operator: Operator) -> list[str]:
    """The ids of new entries that a search for `mark` finds, oldest first."""
    mark = f"tail-{secrets.token_hex(4)}"
    recorder.log_warnings(target.stack(), alice, *(f"{mark}-{number}" for number in range(COUNT)))
    with target.stack().redis.connect(decode_responses=True) as client:
        recorder.wait_for(client, lambda one: f"{mark}-{COUNT - 1}" in one["message"], f"entry {mark}-{COUNT - 1}")
    items = operator.call("GET", "/logs/entries", params={"q": mark}).expect(200)["items"]
    assert len(items) == COUNT
    return [one["id"] for one in items[::-1]]


@pytest.mark.parametrize("how", ["after", "Last-Event-ID"])
@pytest.mark.parametrize("seen", [1, 2])
def test_a_tail_continues_right_after_the_last_entry_of_its_reader(
    operator: Operator, ids: list[str], how: str, seen: int
) -> None:
    last = ids[seen - 1]
    where: dict[str, Any] = {"params": {"after": last}} if how == "after" else {"headers": {how: last}}
    received: list[str] = []
    with operator.open("/logs/stream", **where) as answer:
        assert answer.status_code == 200, f"log-sink: /logs/stream gives {answer.status_code}. {NEXT}"
        for _, identity, _ in events(answer):
            received += [identity] if identity else []
            if identity == ids[-1]:
                break
    assert received == ids[seen:], f"log-sink: a tail that resumes after {last} sends wrong entries. {NEXT}"


def test_a_tail_shows_the_counters(operator: Operator, ids: list[str]) -> None:
    del ids
    with operator.open("/logs/stream") as answer:
        shown = next((data for name, _, data in events(answer) if name == "stats"), None)
    counted = operator.call("GET", "/logs/stats").expect(200)
    assert shown is not None, f"log-sink: the live tail sends no counters. {NEXT}"
    assert (shown.keys(), shown["since"]) == (counted.keys(), counted["since"]), (
        f"log-sink: the tail counts wrongly. {NEXT}"
    )


def test_several_operators_can_follow_at_once(operator: Operator) -> None:
    with ExitStack() as opened:
        tails = [opened.enter_context(operator.open("/logs/stream")) for _ in range(3)]
        found = [tail.status_code for tail in tails]
    assert found == [200] * 3, f"log-sink: 3 live tails at once are answered with {found}. {NEXT}"
