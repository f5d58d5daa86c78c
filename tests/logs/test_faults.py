"""Faults that clients cause are folded and counted, and cannot replace other entries.

Protects from one client that floods the recorder and pushes out the entries of others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import requests

from plumbline import recorder as operator
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.contract import FAULTS_KEPT, LOG_STREAM
from plumbline.verification.throwaway import wait_for_value

pytestmark = pytest.mark.disrupt

MINE = 20
TOKENS, FRAMES, CALLS = 250, 300, 210


def kinds(client: redis.Redis) -> list[str]:
    held: Any = client.xrange(LOG_STREAM)
    return [fields["kind"] for _, fields in held if "kind" in fields]


def test_floods_of_client_faults_are_counted_and_replace_no_entries(
    target: Target, stack: Stack, alice: User, redis_client: redis.Redis
) -> None:
    recorder.end_fault_windows(redis_client)
    marks = [f"mine-{number:02}" for number in range(MINE)]
    recorder.log_warnings(stack, alice, *marks)
    recorder.wait_for(redis_client, lambda one: marks[-1] in one["message"], "the last of the stack's own warnings")
    of_backend = recorder.received(redis_client, "backend")
    of_caddy = recorder.received(redis_client, "caddy", "error")

    def bad_token(_: int) -> int:
        headers = {"Authorization": "Bearer not.a.token"}
        return requests.get(f"{stack.base_url}/auth/me", headers=headers, timeout=TIMEOUT_S).status_code

    def no_service(_: int) -> int:
        return alice.get("/data-processor/templates/").status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(bad_token, range(TOKENS))) == {401}
        with alice.socket() as socket:
            for number in range(FRAMES):
                socket.send(f"garbage {number}")
            socket.drain()
        target.stop("data-processor")
        try:
            assert set(pool.map(no_service, range(CALLS))) == {502}
        finally:
            target.start("data-processor")
    for service, level, count, what in (
        ("backend", "warning", of_backend + TOKENS + FRAMES, "bad tokens and frames"),
        ("caddy", "error", of_caddy + CALLS, "answers 502"),
    ):
        wait_for_value(
            lambda service=service, level=level: recorder.received(redis_client, service, level),
            lambda found, count=count: found >= count,
            f"{count} {level}s of {service} to be counted: all {what}",
        )
    held = [one["message"] for one in recorder.stream(redis_client)]
    lost = [mark for mark in marks if not any(mark in message for message in held)]
    assert not lost, (
        f"log-sink: {len(lost)} of {len(marks)} other entries were replaced by faults of clients ({lost[:3]}); "
        "expected faults never to replace them. Next: services/log-sink/log_sink/recorder.lua"
    )
    for group in ("client.", "request."):
        assert sum(kind.startswith(group) for kind in kinds(redis_client)) <= FAULTS_KEPT
    entries = {one["kind"]: one for one in operator.entries(stack, service="backend") if "kind" in one}
    assert entries["client.bad_token"]["count"] >= TOKENS / 2
    assert entries["client.bad_frame"]["count"] >= FRAMES / 2
    for kind in ("client.bad_token", "client.bad_frame"):
        assert entries[kind]["request_id"], f"{kind} has no request id"
    with recorder.counter_reader(stack) as read:
        assert recorder.counters_balance(read())
