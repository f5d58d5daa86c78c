"""Checks over a port-forward use one connection again and again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from requests.adapters import HTTPAdapter

from plumbline.net import direct_session
from plumbline.verification.checks import kept_connections


class Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        super().setup()
        Counting.connections += 1

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(requests.sessions, "HTTPAdapter", HTTPAdapter)
    monkeypatch.setattr(kept_connections._SharedPool, "pools", None)
    Counting.connections = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask(url: str) -> int:
    """Ask in the three ways of checks; return the number of connections that were made."""
    assert requests.get(url, timeout=5).ok
    for _ in range(2):
        with direct_session() as session:
            assert session.get(url, timeout=5).ok
    return Counting.connections


def test_each_session_has_a_connection_of_its_own_unless_they_are_kept(url: str) -> None:
    assert ask(url) == 3
    kept_connections.keep()
    assert ask(url) == 4


def test_a_connection_that_the_other_side_closed_is_replaced(url: str) -> None:
    kept_connections.keep()
    assert requests.get(f"{url}/last", timeout=5).ok
    assert ask(url) == 2
