"""Warnings and errors of every service and of Caddy reach the recorder.

Protects from warnings and errors that are not recorded.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import requests

from plumbline import recorder as operator
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, recorder
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.own_logs import caddys_line
from plumbline.verification.throwaway import wait_for_value

# A path of each service that queries the database.
PATHS = {"backend": "/channels/", "data-processor": "/data-processor/templates/"}


def logged_by(service: str, level: str, request_ids: set[str]) -> Callable[[dict[str, Any]], bool]:
    return lambda one: (one["service"], one["level"]) == (service, level) and one["request_id"] in request_ids


@pytest.mark.parametrize("service", PATHS)
def test_a_forged_token_is_logged_as_a_warning(stack: Stack, redis_client: redis.Redis, service: str) -> None:
    recorder.send_bad_token(stack, redis_client, PATHS[service], service)
    # Faults of the same minute may share the entry of the first.
    entries = [one for one in operator.entries(stack, service=service) if one.get("kind") == "client.bad_token"]
    entry = entries[-1]
    assert (entry["level"], entry["count"] >= 1) == ("warning", True)
    assert entry["message"]
    assert entry["ts"]
    assert entry["request_id"]
    assert entry["fields"]["address"]


@pytest.mark.disrupt
def test_a_postgres_outage_is_logged_as_an_error_by_both_services(
    target: Target, alice: User, redis_client: redis.Redis
) -> None:
    """Protects from an outage of the database of which no operator hears."""
    before = recorder.stream(redis_client)
    target.stop("postgres")
    try:
        for _ in range(4):
            for path in PATHS.values():
                answer = alice.get(path)
                problem = answer.expect_problem(503)
                assert "Retry-After" in answer.headers
                assert problem["detail"]
    finally:
        target.start("postgres")

    # A process logs an outage once, where it first notices it: in our request, a health check or its own work.
    def new_error(service: str, one: dict[str, Any]) -> bool:
        return (one["service"], one["level"]) == (service, "error") and one not in before

    for service in PATHS:
        recorder.wait_for(redis_client, partial(new_error, service), f"error of {service} while Postgres was away")
    # Recovery needs no restart, but a service may wait a moment before it tries again.
    for path in PATHS.values():
        wait_for_value(lambda path=path: alice.get(path).status, (200).__eq__, f"{path} to answer 200 again")


@pytest.mark.disrupt
@pytest.mark.parametrize("service", PATHS)
def test_a_stopped_service_is_logged_as_an_error_by_caddy(
    target: Target, alice: User, redis_client: redis.Redis, service: str
) -> None:
    recorder.end_fault_windows(redis_client)
    target.stop(service)
    try:
        answer = alice.get(PATHS[service])
        answer.expect_problem(502)
    finally:
        target.start(service)
    entry = recorder.wait_for(redis_client, logged_by("caddy", "error", {answer.request_id}), "502 of Caddy")
    assert "502" in str(entry)
    assert " — " in entry["message"], f"caddy: its entry about a 502 does not say why: {entry['message']!r}"


@pytest.mark.disrupt
def test_a_very_long_url_loses_no_entry(target: Target, stack: Stack, redis_client: redis.Redis) -> None:
    """Protects from one long address that keeps an error out of the recorder."""
    front = urlsplit(stack.base_url)
    recorder.end_fault_windows(redis_client)
    before = recorder.received(redis_client, "caddy", "error")
    target.stop("backend")
    try:
        # Caddy's escaping makes it six times as long, more than a datagram can hold.
        with contextlib.ExitStack() as opened:
            connection = opened.enter_context(socket.create_connection((front.hostname, front.port), 10))
            if front.scheme == "https":
                secure = ssl.create_default_context()
                connection = opened.enter_context(secure.wrap_socket(connection, server_hostname=front.hostname))
            connection.sendall(
                b"GET /channels/?%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                % (b"\xff" * 20_000, front.netloc.encode())
            )
            head = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        assert head.startswith("HTTP/1.1 502 ")
        long_one = re.search(r"(?i)x-request-id: (\S+)", head).group(1)
        Answer(requests.get(f"{stack.base_url}/channels/", timeout=TIMEOUT_S)).expect_problem(502)
    finally:
        target.start("backend")
    recorder.wait_for(redis_client, logged_by("caddy", "error", {long_one}), f"502 of Caddy for {long_one}")
    wait_for_value(
        lambda: recorder.received(redis_client, "caddy", "error"),
        lambda found: found >= before + 2,
        f"{before + 2} errors of Caddy to be counted",
    )


@pytest.mark.disrupt
def test_errors_of_the_log_sink_are_recorded_after_a_redis_outage(target: Target, stack: Stack) -> None:
    """Protects from errors of the recorder itself that are lost with its store."""
    with operator.operator_session(stack) as session:
        target.stop("redis")
        try:
            answer = Answer(session.get(f"{stack.base_url}/logs/entries", timeout=TIMEOUT_S))
            answer.expect_problem(503)
        finally:
            target.start("redis")
    with stack.redis.connect(decode_responses=True) as client:
        for level in ("warning", "error"):
            entry = recorder.wait_for(
                client,
                lambda one, level=level: (one["service"], one["level"]) == ("log-sink", level),
                f"{level} of log-sink",
            )
            assert entry["message"]


@pytest.mark.disrupt
def test_health_of_the_recorder_tells_of_a_redis_outage(target: Target, stack: Stack) -> None:
    """Protects from a recorder that says it is well, and keeps nothing."""
    target.stop("redis")
    try:
        answer = requests.get(f"{stack.base_url}/logs/health", timeout=TIMEOUT_S)
    finally:
        target.start("redis")
    assert answer.status_code == 503, f"log-sink: /logs/health gives {answer.status_code} without Redis; expected 503"
    assert answer.headers["Retry-After"] == "1"
    assert "Redis" in answer.text


@pytest.mark.disrupt
def test_a_failed_request_is_counted_once(target: Target, alice: User, stack: Stack, redis_client: redis.Redis) -> None:
    """Protects from one fault that looks like two."""
    target.stop("data-processor")
    try:
        recorder.end_fault_windows(redis_client)
        first = alice.get("/data-processor/templates/")
        first.expect_problem(502)
        # Caddy sends its entries in their order, so those of earlier failures have arrived with this one.
        recorder.wait_for(redis_client, logged_by("caddy", "error", {first.request_id}), "502 of Caddy")
        before = recorder.received(redis_client, "caddy", "error")
        for _ in range(3):
            alice.get("/data-processor/templates/").expect_problem(502)
        wait_for_value(
            lambda: recorder.received(redis_client, "caddy", "error"),
            lambda counted: counted >= before + 3,
            f"{before + 3} errors of Caddy to be counted",
        )
        # A later entry has arrived, so one too many would have, too.
        recorder.send_bad_token(stack, redis_client)
        # Counted before the start: what waits for the service asks it through Caddy.
        counted = recorder.received(redis_client, "caddy", "error")
    finally:
        target.start("data-processor")
    assert counted == before + 3


def test_an_address_that_the_client_claims_is_not_believed(stack: Stack, redis_client: redis.Redis) -> None:
    """Protects from an attacker whose entries name another address than its own."""
    claimed = {"Authorization": "Bearer not.a.token", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    for path in PATHS.values():
        Answer(requests.get(stack.base_url + path, headers=claimed, timeout=TIMEOUT_S)).expect_problem(401)
    for service, path in PATHS.items():
        recorder.send_bad_token(stack, redis_client, path, service)
    believed = {one["service"] for one in recorder.stream(redis_client) if "203.0.113.9" in str(one["fields"])}
    assert not believed, (
        f"{', '.join(sorted(believed))}: recorded the address that a client claimed in a header; expected its own. "
        "Next: trusted_proxies in docker/caddy/Caddyfile"
    )


def test_info_entries_are_not_kept(alice: User, stack: Stack, redis_client: redis.Redis) -> None:
    """Protects from warnings that are pushed out by ordinary entries."""
    quiet = {alice.get(path).request_id for path in [*PATHS.values(), "/auth/me", "/health"]}
    # A later entry has arrived, so an info entry would have, too.
    for service, path in PATHS.items():
        recorder.send_bad_token(stack, redis_client, path, service)
    held = recorder.stream(redis_client)
    assert {one["level"] for one in held} <= set(contract.LEVELS_KEPT)
    assert quiet.isdisjoint({one["request_id"] for one in held})


def test_the_api_shows_entries_of_the_stream(stack: Stack, redis_client: redis.Redis) -> None:
    recorder.send_bad_token(stack, redis_client)
    request_id = next(
        one["request_id"]
        for one in reversed(operator.entries(stack, service="backend"))
        if one.get("kind") == "client.bad_token"
    )
    shown = operator.entries(stack, request_id=request_id)
    assert [one["request_id"] for one in shown] == [request_id]
    assert {"id", "ts", "level", "service", "logger", "message", "request_id", "exception", "fields"} <= shown[0].keys()
    assert operator.entries(stack, service="backend", level="warning", q="token", limit=1)
    others = operator.entries(stack, service="no-such-service")
    assert not others, f"log-sink: a filter for a service without entries lets {len(others)} through; expected none"


@pytest.mark.disrupt
@pytest.mark.parametrize("service", PATHS)
def test_an_entry_names_the_request_and_its_client(
    target: Target, stack: Stack, redis_client: redis.Redis, service: str
) -> None:
    recorder.end_fault_windows(redis_client)
    request_id = recorder.send_bad_token(stack, redis_client, PATHS[service], service)
    entry = recorder.wait_for(redis_client, logged_by(service, "warning", {request_id}), f"entry about {request_id}")
    found = wait_for_value(
        lambda: caddys_line(target, request_id), bool, f"Caddy's log to have a line about {request_id}"
    )
    told, expected = entry["fields"].get("address"), found["request"]["client_ip"]
    assert told == expected, f"{service}: an entry says that a request came from {told}; Caddy logged {expected}"
