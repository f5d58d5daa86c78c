"""How long the front door waits: not for ever for a slow client, and without a limit on a quiet connection.

Protects from slow clients that block others, and connections that are cut for no reason.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from urllib.parse import urlsplit

import pytest
import requests

from plumbline.errors import NotGivenError
from plumbline.targets.base import Target
from plumbline.verification.checks.client import Socket, User
from plumbline.verification.checks.sessions import Operator

NEXT = "Next: compare docker/caddy/Caddyfile with the repository, then ./deploy-local.sh"
SETTINGS = ("PLUMBLINE_FRONT_BODY_PATIENCE", "PLUMBLINE_FRONT_BODY_RATE")
PATIENCE_S = 60.0
"""Caddy waits 10 s for headers, and 20 s for a body of which nothing comes."""
HEADERS = b"GET /health HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


@dataclass
class Waited:
    """What became of four connections on which the client sent nothing for a while."""

    headers_ended: bool
    body_ended: bool
    socket: Socket
    tail: list[str]
    tail_ended: bool


def ended(connection: socket.socket) -> bool:
    """Return whether the server answers or ends a connection in time."""
    connection.settimeout(PATIENCE_S)
    try:
        connection.recv(4096)
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.fixture(scope="module")
def waited(target: Target, alice: User) -> Iterator[Waited]:
    """Open all connections at once, and wait until Caddy has ended the slow ones."""
    stack = target.stack()
    front = urlsplit(stack.base_url)
    if front.scheme != "http":
        raise NotGivenError("sends raw requests, which needs a front door without TLS")
    if any(line.startswith(SETTINGS) for line in stack.settings):
        raise NotGivenError("needs Caddy's own time limits for bodies, and this stack has others")
    lines: list[str] = []
    with contextlib.ExitStack() as opened:
        operator = Operator(stack)
        opened.callback(operator.close)
        tail = opened.enter_context(operator.open("/logs/stream"))
        quiet = opened.enter_context(alice.socket())

        def read() -> None:
            with contextlib.suppress(requests.RequestException, OSError, AttributeError):
                lines.extend(tail.iter_lines(decode_unicode=True))

        reader = Thread(target=read, name="tail", daemon=True)
        reader.start()
        slow = []
        for begin in (HEADERS, BODY):
            connection = socket.create_connection((front.hostname or "", front.port or 80), 10)
            opened.enter_context(contextlib.closing(connection))
            connection.sendall(begin)
            slow.append(connection)
        headers_ended, body_ended = map(ended, slow)
        yield Waited(headers_ended, body_ended, quiet, lines, not reader.is_alive())


def test_headers_that_do_not_come_end_the_connection(waited: Waited) -> None:
    """Protects from clients that keep connections for ever without asking for anything."""
    assert waited.headers_ended, (
        f"caddy: waits more than {PATIENCE_S:g} s for a request's headers; expected 10 s. {NEXT}"
    )


def test_a_body_that_does_not_come_ends_the_request(waited: Waited) -> None:
    """Protects from uploads that stop in the middle and keep their place for ever."""
    assert waited.body_ended, f"caddy: waits more than {PATIENCE_S:g} s for a request's body; expected 20 s. {NEXT}"


def test_a_quiet_socket_stays_open(waited: Waited) -> None:
    """Protects from users in a quiet channel who are thrown out."""
    try:
        waited.socket.drain()
    except Exception as error:
        pytest.fail(f"caddy, backend: a live socket that was quiet for 20 s is closed: {error}. {NEXT}", pytrace=False)


def test_a_quiet_tail_stays_open(waited: Waited) -> None:
    assert not waited.tail_ended, f"caddy, log-sink: a live tail ends within 20 s without a new entry. {NEXT}"


def test_a_quiet_tail_has_a_heartbeat(waited: Waited) -> None:
    """Protects from an operator whose page looks live, and is not."""
    beats = waited.tail.count("event: stats")
    assert beats >= 3, f"log-sink: a quiet live tail sent {beats} heartbeats in 20 s; expected one every 5 s. {NEXT}"
