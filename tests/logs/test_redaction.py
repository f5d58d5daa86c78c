"""Stored entries are bounded, free of control characters, and without secrets.

Protects from secrets, control characters and endless texts in the recorder.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
import requests

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.contract import ENTRY_MAX_BYTES, LOG_STREAM
from plumbline.verification.checks.texts import unsafe_texts

SECRET = "hunter2Zx81q"
SPELT = (
    f"password={SECRET}", f"'apiKey': '{SECRET}'", f"redis://:{SECRET}@redis/0", f"Bearer {SECRET}",
    f"Set-Cookie: a={SECRET}", f"GET /x?token={SECRET}",
)  # fmt: skip


def stored(client: redis.Redis) -> list[str]:
    """Return every entry as stored in Redis."""
    held: Any = client.xrange(LOG_STREAM)
    return [fields["entry"] for _, fields in held]


def assert_clean(lines: list[str]) -> None:
    for line in lines:
        assert len(line.encode()) <= ENTRY_MAX_BYTES
        assert SECRET not in line
        assert "\n" not in line
        unsafe = unsafe_texts(json.loads(line))
        assert not unsafe, f"log-sink: an entry holds control characters {unsafe[:3]!r}; expected them to be removed"


def test_entries_of_a_service_are_redacted(stack: Stack, alice: User, redis_client: redis.Redis) -> None:
    # The backend quotes only the beginning of an unreadable event.
    spelt = [f"clean-{number} {text}" for number, text in enumerate((*SPELT, "\x1b[31mred\x00\u2028\u202e"))]
    recorder.log_warnings(stack, alice, *spelt)
    for number in range(len(spelt)):
        entry = recorder.wait_for(
            redis_client, lambda one, number=number: f"clean-{number} " in one["message"], "warning"
        )
        assert number == len(SPELT) or "[redacted]" in entry["message"]
    assert_clean(stored(redis_client))


@pytest.mark.disrupt
def test_entries_of_caddy_are_redacted(target: Target, stack: Stack, redis_client: redis.Redis) -> None:
    recorder.end_fault_windows(redis_client)
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"access_token={SECRET}"}
    target.stop("backend")
    try:
        answer = Answer(
            requests.get(f"{stack.base_url}/channels/?token={SECRET}&page=2", headers=headers, timeout=TIMEOUT_S)
        )
        answer.expect_problem(502)
    finally:
        target.start("backend")
    entry = recorder.wait_for(redis_client, lambda one: one["request_id"] == answer.request_id, "502 of Caddy")
    assert entry["fields"]["uri"] == "/channels/?"
    assert_clean(stored(redis_client))


@pytest.mark.disrupt
def test_hostile_entries_are_redacted_and_truncated(stack: Stack, redis_client: redis.Redis) -> None:
    head = b'{"level":"error","service":"hostile","message":"'
    lines = [
        *(head + spelt.replace('"', "'").encode() + b'"}' for spelt in SPELT),
        head + b'broken \xff\xfe utf-8 \x1b[2J \x00 \xe2\x80\xa8"}',
        head + "🙂".encode() * 100_000 + b'"}',
        b'{"level":"error","service":"hostile","message":"m","exception":"' + "ü".encode() * 400_000 + b'"}',
        b'{"level":"error","service":"hostile","message":"m","fields":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        head + b'the end"}',
    ]
    with recorder.second_sink(stack) as sink:
        sink.send(b"".join(line + b"\n" for line in lines))
        recorder.wait_for(redis_client, lambda one: one["message"] == "the end", "the last line")
    held = [line for line in stored(redis_client) if json.loads(line)["service"] == "hostile"][-len(lines) :]
    assert len(held) == len(lines)
    assert_clean(held)
    assert [json.loads(line).get("truncated", False) for line in held[-5:]] == [False, True, True, True, False]
