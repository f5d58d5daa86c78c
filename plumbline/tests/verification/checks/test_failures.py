"""An exception of a library becomes a sentence: which component, what was expected, what it did."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
import redis
import requests
from websockets.sync.client import connect

from plumbline.net import free_port
from plumbline.verification.checks.failures import Cause, component_of, explain

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"


class Server:
    """Answers each connection with some bytes, and then closes it or not."""

    def __init__(self) -> None:
        self.says, self.closes = b"", False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.sendall(self.says)
            self._open.append(connection)
            if self.closes:
                connection.close()

    def close(self) -> None:
        self._socket.close()
        for one in self._open:
            one.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as made:
        yield made


def cause_of(server: Server, says: bytes, *, closes: bool) -> Cause:
    server.says, server.closes = says, closes
    with pytest.raises(requests.RequestException) as raised:
        requests.get(f"http://127.0.0.1:{server.port}/data-processor/documents/", timeout=0.2)
    cause = explain(raised.value)
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("says", "closes", "found"),
    [
        (HEAD + b"hello", False, "Content-Length 20, but the body did not come to its end in time"),
        (HEAD + b"hello", True, "Content-Length 20, but the connection was closed after 5 bytes"),
        (b"", False, "not one line of it"),
        (b"", True, "the connection was closed without one"),
    ],
)
def test_answers_that_do_not_come(server: Server, says: bytes, closes: bool, found: str) -> None:
    cause = cause_of(server, says, closes=closes)
    assert cause.component == "data-processor"
    assert "GET /data-processor/documents/" in cause.expected
    assert found in cause.found


def test_a_front_door_that_is_closed() -> None:
    with pytest.raises(requests.ConnectionError) as raised:
        requests.get(f"http://127.0.0.1:{free_port()}/auth/me", timeout=5)
    cause = explain(raised.value)
    assert cause is not None
    assert (cause.component, "refuses them" in cause.found) == ("caddy", True)


def test_sockets(server: Server) -> None:
    server.says = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(Exception, match="403") as raised:
        connect(f"ws://127.0.0.1:{server.port}/ws/1", proxy=None)
    assert explain(raised.value) == Cause("backend", "a socket that opens", "it was refused with 403")
    server.says = b""
    with pytest.raises(TimeoutError) as late:
        connect(f"ws://127.0.0.1:{server.port}/ws/1", proxy=None, open_timeout=0.1)
    cause = explain(late.value)
    assert cause is not None
    assert cause.component == "backend"


def test_stores() -> None:
    port = free_port()
    with pytest.raises(psycopg.OperationalError) as raised:
        psycopg.connect(host="127.0.0.1", port=port, connect_timeout=5)
    cause = explain(raised.value)
    assert cause is not None
    assert cause.component == "postgres"
    with pytest.raises(redis.ConnectionError) as refused:
        redis.Redis(host="127.0.0.1", port=port).ping()
    cause = explain(refused.value)
    assert cause is not None
    assert cause.component == "redis"


def test_commands() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        subprocess.run([sys.executable, "-c", "import sys; sys.exit('no disk')"], check=True, capture_output=True)
    cause = explain(raised.value)
    assert cause is not None
    assert cause.found == "it ended with 1; it said: no disk"


def test_an_assertion_says_it_itself() -> None:
    assert explain(AssertionError("backend: no frame")) is None


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("/data-processor/documents/", "data-processor"),
        ("/logs/stats", "log-sink"),
        ("/ws/3", "backend"),
        ("/", "caddy"),
    ],
)
def test_the_component_of_a_path(path: str, component: str) -> None:
    assert component_of(path) == component
