"""Clients that hang up in the middle of an answer leave no entry: Caddy words each way of doing so differently.

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
from plumbline.verification.checks import recorder, samples
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.created import PREFIX

TAILS = 4
DOWNLOADS = 4
TOO_MUCH_TO_BUFFER = 12 * 2**20
"""Bytes of an answer that Caddy cannot send before its client hangs up."""


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


def half_closed(connection: socket.socket) -> None:
    """Close without a reset while data is on its way: the next write is answered with a reset."""
    connection.shutdown(socket.SHUT_RD)
    connection.shutdown(socket.SHUT_WR)
    connection.close()


def address(stack: Stack) -> tuple[str, int]:
    """Return where to connect to the front door."""
    front = urlsplit(stack.base_url)
    if front.scheme != "http" or not front.hostname:
        raise NotGivenError("closes connections by hand, which needs a front door without TLS")
    return front.hostname, front.port or 80


def opened(stack: Stack, authorization: str | bytes) -> http.client.HTTPConnection:
    """Open a live tail and wait until it has begun."""
    tail = http.client.HTTPConnection(*address(stack), timeout=TIMEOUT_S)
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
    about = entries(redis_client, "/logs/stream", begun)
    assert not about, f"caddy: left entries about {TAILS} live tails that were closed by {leave.__name__}: {about}"


def entries(redis_client: redis.Redis, path: str, since: datetime) -> list[str]:
    """Return what Caddy's entries say about requests to a path."""
    return [
        one["message"]
        for one in recorder.stream(redis_client)
        if one["service"] == "caddy"
        and one["fields"].get("uri", "").startswith(path)
        and datetime.fromisoformat(one["ts"]) >= since
    ]


@pytest.fixture(scope="module")
def large(alice: User) -> str:
    """The path of a file that is too large for the buffers between Caddy and a client."""
    channel = int(alice.create_channel("private")["id"])
    document = alice.upload(channel, f"{PREFIX}large.png", samples.png() + bytes(TOO_MUCH_TO_BUFFER)).expect(201)
    return str(document["urls"]["content"])


@pytest.mark.parametrize("leave", [close, reset, half_closed])
def test_a_download_whose_client_hangs_up_leaves_no_entry(
    stack: Stack, alice: User, redis_client: redis.Redis, large: str, leave: Callable[[socket.socket], None]
) -> None:
    begun = datetime.now(UTC)
    for _ in range(DOWNLOADS):
        with socket.create_connection(address(stack), TIMEOUT_S) as connection:
            connection.sendall(
                f"GET {large} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode()
            )
            assert connection.recv(12) == b"HTTP/1.1 200"
            leave(connection)
    mark = secrets.token_hex(8)
    recorder.log_warnings(stack, alice, mark)
    recorder.wait_for(redis_client, lambda one: mark in one["message"], "warning")
    about = entries(redis_client, large, begun)
    assert not about, f"caddy: left entries about {DOWNLOADS} downloads that were closed by {leave.__name__}: {about}"
