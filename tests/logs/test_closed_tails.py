"""Clients that close a live tail, in whatever way, leave no entry: Caddy words each way differently.

Protects from a recorder that fills with entries about readers who closed their browser.
"""

from __future__ import annotations

import http.client
import secrets
import socket
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import redis

from plumbline import recorder as operator
from plumbline.errors import NotGivenError
from plumbline.stack import Stack
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, User

TAILS = 4


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    """Close with a reset, as a client that ends does with data that it has not read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def stop_writing(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


def stop_reading(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RD)


def opened(stack: Stack, authorization: str | bytes) -> http.client.HTTPConnection:
    """Open a live tail and wait until it has begun."""
    front = urlsplit(stack.base_url)
    if front.scheme != "http" or not front.hostname:
        raise NotGivenError("closes connections by hand, which needs a front door without TLS")
    tail = http.client.HTTPConnection(front.hostname, front.port, timeout=TIMEOUT_S)
    tail.request("GET", "/logs/stream?after=0", headers={"Authorization": authorization})
    answer = tail.getresponse()
    assert answer.status == 200
    assert answer.readline()
    return tail


@pytest.mark.parametrize("leave", [close, reset, stop_writing, stop_reading])
def test_a_closed_live_tail_leaves_no_entry(
    stack: Stack, alice: User, redis_client: redis.Redis, leave: Callable[[socket.socket], None]
) -> None:
    with operator.operator_session(stack) as session:
        authorization = session.headers["Authorization"]
    begun = datetime.now(UTC)
    tails = [opened(stack, authorization) for _ in range(TAILS)]
    for tail in tails:
        leave(tail.sock)
    # Caddy notices some of them only when it writes.
    for _ in range(3):
        mark = secrets.token_hex(8)
        recorder.log_warnings(stack, alice, mark)
        recorder.wait_for(redis_client, lambda one, mark=mark: mark in one["message"], "warning")  # type: ignore[misc]
    for tail in tails:
        tail.close()
    about = [
        one["message"]
        for one in recorder.stream(redis_client)
        if one["service"] == "caddy"
        and one["fields"].get("uri", "").startswith("/logs/stream")
        and datetime.fromisoformat(one["ts"]) >= begun
    ]
    assert not about, f"caddy: left entries about {TAILS} live tails that were closed by {leave.__name__}: {about}"
