"""An ACME authority is asked before anything is changed; a certificate that it has not given is mentioned."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from plumbline.https import authority
from plumbline.net import free_port

NAME = "chat.example.org"
Make = Callable[..., tuple[Path, Path]]
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a text, over TLS with a certificate and its key, and returns the port."""
    servers: list[ThreadingHTTPServer] = []

    def start(text: str, pair: tuple[Path, Path] | None = None) -> int:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_authority_that_answers_has_no_problem(serve: Serve, certificate: Make) -> None:
    pair = certificate("localhost")
    port = serve('{"newOrder": "https://localhost/order"}', pair)
    assert authority.problem(f"https://localhost:{port}/dir", str(pair[0])) is None


def test_one_that_is_away_is_named(serve: Serve) -> None:
    url = f"https://localhost:{free_port()}/dir"
    said = str(authority.problem(url, ""))
    assert said.startswith(f"the ACME authority {url} does not answer (ConnectionError): check --acme-ca")


def test_one_whose_certificate_is_unknown_needs_its_root(serve: Serve, certificate: Make) -> None:
    port = serve("{}", certificate("localhost"))
    said = str(authority.problem(f"https://localhost:{port}/dir", ""))
    assert said.endswith("name that of its own authority with --acme-ca-root")


@pytest.mark.parametrize("text", ["<html>", "{}"])
def test_something_else_is_no_authority(serve: Serve, text: str) -> None:
    said = str(authority.problem(f"http://127.0.0.1:{serve(text)}/", ""))
    assert "is not the directory of an ACME authority: check --acme-ca" in said


def test_a_certificate_that_was_not_given_is_mentioned(serve: Serve, certificate: Make) -> None:
    assert authority.missing(NAME, serve("", certificate(NAME))) == ""
    said = authority.missing(NAME, serve(""), patience_s=0)
    assert said.startswith(f"; {NAME} has no certificate yet: Caddy goes on asking for one")
