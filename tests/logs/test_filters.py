"""Filters of the recorder let through exactly what they name, newest first, in the list and in the live tail.

Protects from an operator who filters and misses an entry, or sees wrong ones.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from plumbline.stack import Stack
from plumbline.verification.checks import contract, recorder
from plumbline.verification.checks.client import User
from plumbline.verification.checks.recorder import events
from plumbline.verification.checks.sessions import Operator

Entry = dict[str, Any]
PATHS = {"backend": "/auth/me", "data-processor": "/data-processor/templates/"}


@pytest.fixture(scope="module")
def operator(target: Any) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


@pytest.fixture(scope="module")
def mark(target: Any, alice: User) -> str:
    """A word that three entries of the backend have; there are entries of the data-processor, too."""
    stack = target.stack()
    word = f"Mark{secrets.token_hex(4)}"
    with stack.redis.connect(decode_responses=True) as client:
        for service, path in PATHS.items():
            recorder.send_bad_token(stack, client, path, service)
        recorder.log_warnings(stack, alice, *(f"{word}-{number}" for number in range(3)))
        recorder.wait_for(client, lambda one: f"{word}-2" in one["message"], f"entry with {word}-2")
    return word


def listed(operator: Operator, **query: Any) -> list[Entry]:
    items: list[Entry] = operator.call("GET", "/logs/entries", params=query).expect(200)["items"]
    return items


def moment(entry: Entry) -> tuple[int, int]:
    """Return an entry's id as numbers, which grow with time."""
    first, _, second = entry["id"].partition("-")
    return int(first), int(second)


def texts(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).casefold()


FILTERS: dict[str, tuple[Callable[[Entry, str], dict[str, Any]], Callable[[Entry, dict[str, Any]], bool]]] = {
    "service": (lambda one, _: {"service": one["service"]}, lambda one, query: one["service"] == query["service"]),
    "two services": (
        lambda one, _: {"service": "backend,caddy"},
        lambda one, query: one["service"] in ("backend", "caddy"),
    ),
    "level": (lambda one, _: {"level": one["level"]}, lambda one, query: one["level"] == query["level"]),
    # A recorder that has just started may have entries of one level alone.
    "another level": (
        lambda one, _: {"level": next(level for level in contract.LEVELS_KEPT if level != one["level"])},
        lambda one, query: one["level"] == query["level"],
    ),
    "request id": (
        lambda one, _: {"request_id": one["request_id"]},
        lambda one, query: one["request_id"] == query["request_id"],
    ),
    "text of messages": (lambda one, mark: {"q": mark.upper()}, lambda one, query: query["q"].casefold() in texts(one)),
    "text of fields": (lambda one, _: {"q": "127.0.0.1"}, lambda one, query: query["q"] in texts([
        one["message"], one["logger"], one["exception"], one["fields"]])),
    "service and text": (
        lambda one, mark: {"service": "data-processor", "q": mark},
        lambda one, query: one["service"] == query["service"] and query["q"].casefold() in texts(one),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_lets_through_exactly_what_it_names(operator: Operator, mark: str, name: str) -> None:
    make, wanted = FILTERS[name]
    before = listed(operator)
    sample = next(one for one in before if one["request_id"])
    query = make(sample, mark)
    found = listed(operator, **query)
    assert [one for one in found if not wanted(one, query)] == [], f"{query} lets others through"
    # Entries that came between the two calls are in the second alone.
    known = {one["id"] for one in before}
    expected = [one["id"] for one in before if wanted(one, query)]
    kept = [one["id"] for one in found if one["id"] in known]
    gone = set(expected) - {one["id"] for one in listed(operator)}
    assert kept == [one for one in expected if one not in gone], f"{query} loses entries"


def test_texts_are_found_wherever_an_entry_has_them(operator: Operator, mark: str) -> None:
    found = [one["message"] for one in listed(operator, q=mark)]
    assert len(found) == 3, found
    assert all(f"{mark}-{number}" in message for number, message in zip((2, 1, 0), found, strict=True)), found
    bad_tokens = [one for one in listed(operator) if one.get("kind") == "client.bad_token"]
    address = bad_tokens[0]["fields"]["address"]
    assert bad_tokens[0]["id"] in [one["id"] for one in listed(operator, q=address)], "a search reads no fields"


@pytest.mark.parametrize("limit", [1, 2, contract.LOG_CAP])
def test_a_limit_returns_the_newest_entries(operator: Operator, mark: str, limit: int) -> None:
    shown = listed(operator, service="backend", limit=limit)
    whole = listed(operator, service="backend")
    assert len(shown) == min(limit, len(whole))
    assert [moment(one) for one in whole] == sorted(map(moment, whole), reverse=True), "expected the newest first"
    (newest,) = listed(operator, q=mark, limit=1)
    assert f"{mark}-2" in newest["message"]


@pytest.mark.parametrize(
    "query",
    [{"level": "info"}, {"level": "warnings"}, {"limit": "0"}, {"limit": str(contract.LOG_CAP + 1)}, {"limit": "x"},
     {"servise": "backend"}, {"q": "x" * 201}],
    ids=str,
)  # fmt: skip
def test_a_wrong_filter_is_refused_and_named(operator: Operator, query: dict[str, str]) -> None:
    refused = operator.call("GET", "/logs/entries", params=query).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == list(query)


def test_the_live_tail_has_the_same_filters(operator: Operator, mark: str) -> None:
    expected = [one["id"] for one in listed(operator, q=mark)[::-1]]
    received: list[str] = []
    with operator.open("/logs/stream", params={"q": mark, "after": "0"}) as answer:
        for _, identity, _ in events(answer):
            received += [identity] if identity else []
            if len(received) == len(expected):
                break
    assert received == expected


@pytest.mark.parametrize("service", PATHS)
def test_a_fault_has_one_entry_with_exactly_its_level_and_source(
    stack: Stack, redis_client: redis.Redis, operator: Operator, service: str
) -> None:
    """Protects from one fault that is counted twice, or under another service."""
    recorder.send_bad_token(stack, redis_client, PATHS[service], service)
    about = [one for one in listed(operator, service=service) if one.get("kind") == "client.bad_token"]
    assert about, f"the recorder has no entry about a bad token at {service}"
    newest = about[0]
    same_minute = [one for one in about if one["ts"][:16] == newest["ts"][:16]]
    assert len(same_minute) <= 2, "faults of one kind are one entry a minute"
    assert newest["level"] == "warning"
    assert newest["logger"].replace("_", "-").startswith(service), newest["logger"]
