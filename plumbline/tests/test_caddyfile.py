"""The Caddyfile and its settings, with a real Caddy."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from plumbline.net import direct_session, free_port
from plumbline.verification.throwaway import wait_until

TIMEOUT_S = 10
Start = Callable[..., str]
SPOOFED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X_Forwarded_For": "203.0.113.9"}


class Echo(BaseHTTPRequestHandler):
    """Answers with the received X-Forwarded-For and the length of the body; records connections."""

    protocol_version = "HTTP/1.1"
    peers: ClassVar[set[tuple[str, int]]] = set()

    def answer(self) -> None:
        self.peers.add(self.client_address)
        length = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        # WSGI does not distinguish `_` and `-` in header names.
        seen = [value for name, value in self.headers.items() if name.lower().replace("_", "-") == "x-forwarded-for"]
        body = f"{seen} {length}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Say nothing."""


def serve(port: int, stop: list[ThreadingHTTPServer]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", port), Echo)
    stop.append(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()


@pytest.fixture
def servers() -> Iterator[list[ThreadingHTTPServer]]:
    found: list[ThreadingHTTPServer] = []
    yield found
    for server in found:
        server.shutdown()
        server.server_close()


def test_x_forwarded_for_of_clients_is_ignored(front: Start, servers: list[ThreadingHTTPServer]) -> None:
    port = free_port()
    serve(port, servers)
    answer = direct_session().get(f"{front(port)}/health", headers=SPOOFED, timeout=TIMEOUT_S)
    assert answer.text == "['127.0.0.1'] 0"


def test_x_forwarded_for_of_a_trusted_proxy_is_used(front: Start, servers: list[ThreadingHTTPServer]) -> None:
    port = free_port()
    serve(port, servers)
    door = front(port, PLUMBLINE_FRONT_TRUSTED_PROXIES="10.0.0.0/8 127.0.0.0/8")
    answer = direct_session().get(f"{door}/health", headers=SPOOFED, timeout=TIMEOUT_S)
    assert answer.text == "['198.51.100.7'] 0", "not the first entry, which clients can forge"


def test_an_unavailable_service_gives_502_at_once(front: Start) -> None:
    door = front(free_port())
    began = time.monotonic()
    assert direct_session().get(f"{door}/health", timeout=TIMEOUT_S).status_code == 502
    assert time.monotonic() - began < 1


def test_a_refused_connection_is_retried_within_upstream_patience(
    front: Start, servers: list[ThreadingHTTPServer]
) -> None:
    port = free_port()
    door = front(port, PLUMBLINE_UPSTREAM_PATIENCE=f"{TIMEOUT_S}s")
    threading.Timer(1.0, serve, (port, servers)).start()
    answer = direct_session().post(f"{door}/channels", data=b"x" * 50_000, timeout=2 * TIMEOUT_S)
    assert (answer.status_code, answer.text) == (200, "['127.0.0.1'] 50000")


def test_retries_end_after_upstream_patience(front: Start) -> None:
    door = front(free_port(), PLUMBLINE_UPSTREAM_PATIENCE="1s")
    began = time.monotonic()
    assert direct_session().get(f"{door}/health", timeout=TIMEOUT_S).status_code == 502
    assert 0.5 < time.monotonic() - began < 5


def test_a_stopping_caddy_closes_its_connections(
    front: Start, servers: list[ThreadingHTTPServer], processes: list[subprocess.Popen[bytes]]
) -> None:
    port = free_port()
    serve(port, servers)
    door = front(port, PLUMBLINE_SHUTDOWN_DELAY="2s")
    session = direct_session()
    assert "Connection" not in session.get(f"{door}/health", timeout=TIMEOUT_S).headers
    processes[0].terminate()
    deadline = time.monotonic() + 1.5
    while (said := session.get(f"{door}/health", timeout=TIMEOUT_S).headers.get("Connection")) is None:
        assert time.monotonic() < deadline, "it does not close the connection"
    assert said == "close"
    assert direct_session().get(f"{door}/health", timeout=TIMEOUT_S).status_code == 200, "it accepts new connections"
    assert processes[0].wait(TIMEOUT_S) == 0


def test_every_answer_has_nosniff(front: Start, servers: list[ThreadingHTTPServer]) -> None:
    port = free_port()
    serve(port, servers)
    door = front(port)
    statuses = {}
    for path in ("/health", "/", "/logs", "/nowhere", "/data-processor/templates/", "/logs/", "/logs/health"):
        answer = direct_session().get(f"{door}{path}", timeout=TIMEOUT_S, allow_redirects=False)
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", path
        statuses[path] = answer.status_code
    too_large = direct_session().post(f"{door}/channels", data=b"x" * 1_000_001, timeout=TIMEOUT_S)
    assert (too_large.status_code, too_large.headers.get("X-Content-Type-Options")) == (413, "nosniff")
    assert sorted(statuses.values()) == [200, 200, 308, 404, 502, 502, 502]


def test_without_keepalive_each_request_has_its_own_connection(
    front: Start, servers: list[ThreadingHTTPServer]
) -> None:
    port = free_port()
    serve(port, servers)
    for keepalive, connections in (("30s", 1), ("off", 3)):
        door = front(port, PLUMBLINE_UPSTREAM_KEEPALIVE=keepalive)
        Echo.peers.clear()
        for _ in range(3):
            direct_session().get(f"{door}/health", timeout=TIMEOUT_S)
        assert len(Echo.peers) == connections, keepalive


@pytest.mark.parametrize("backend", ["away", "hangs"])
def test_the_recorder_is_readable_without_the_backend(
    front: Start, servers: list[ThreadingHTTPServer], backend: str
) -> None:
    port = free_port()
    serve(port, servers)
    beside = {"PLUMBLINE_DATA_PROCESSOR": f"127.0.0.1:{port}", "PLUMBLINE_LOG_SINK": f"127.0.0.1:{port}"}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if backend == "hangs":
            listener.listen(16)
        door = front(listener.getsockname()[1], **beside)
        assert direct_session().get(f"{door}/logs/stats", timeout=TIMEOUT_S).status_code == 200


def test_without_backend_and_data_processor_the_recorder_gives_502(
    front: Start, servers: list[ThreadingHTTPServer]
) -> None:
    port = free_port()
    serve(port, servers)
    door = front(free_port(), PLUMBLINE_LOG_SINK=f"127.0.0.1:{port}")
    program = direct_session().get(f"{door}/logs/entries", timeout=TIMEOUT_S)
    assert (program.status_code, program.json()["code"]) == (502, "upstream_unavailable")
    browser = direct_session().get(f"{door}/logs/", headers={"Accept": "text/html,*/*"}, timeout=TIMEOUT_S)
    assert (browser.status_code, browser.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert "does not answer" in browser.text
    assert browser.headers["X-Request-Id"] in browser.text


class Upstream:
    """A service that reads bodies, and records how each ended. It answers after a complete body, or never."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.ends: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            raw = b""
            while b"\r\n\r\n" not in raw:
                raw += connection.recv(65536)
            head, _, body = raw.partition(b"\r\n\r\n")
            declared = re.search(rb"Content-Length: (\d+)", head)
            left = int(declared[1]) - len(body) if declared else 0
            while left > 0 and (chunk := connection.recv(65536)):
                left -= len(chunk)
            self.ends.append("complete" if left == 0 else "incomplete")
            if self._answer is None:
                connection.recv(1)
            try:
                connection.sendall(self._answer or b"")
            except OSError:
                self.ends.append("reader disconnected")

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    made: list[Upstream] = []

    def make(answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> Upstream:
        made.append(Upstream(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def connect(door: str, head: str) -> socket.socket:
    port = int(door.rpartition(":")[2])
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(TIMEOUT_S)
    client.connect(("127.0.0.1", port))
    client.sendall(f"{head}\r\nHost: localhost\r\n\r\n".encode())
    return client


@pytest.mark.parametrize("path", ["/channels", "/data-processor/templates/", "/logs/health"])
def test_a_hanging_service_gives_504(front: Start, upstream: Callable[..., Upstream], path: str) -> None:
    hung = f"127.0.0.1:{upstream(None).port}"
    names = ("PLUMBLINE_BACKEND", "PLUMBLINE_DATA_PROCESSOR", "PLUMBLINE_LOG_SINK")
    limits = {"PLUMBLINE_UPSTREAM_TIMEOUT": "1s", "PLUMBLINE_DECODING_TIMEOUT": "1s"}
    door = front(1, **dict.fromkeys(names, hung), **limits)
    answer = direct_session().get(f"{door}{path}", timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream_unavailable")


@pytest.mark.parametrize(("path", "name"), [("/channels", "BACKEND"), ("/data-processor/documents/", "DATA_PROCESSOR")])
def test_an_incomplete_body_ends_for_the_service(
    front: Start, upstream: Callable[..., Upstream], path: str, name: str
) -> None:
    service = upstream()
    limits = {"PLUMBLINE_FRONT_BODY_PATIENCE": "1s", f"PLUMBLINE_{name}": f"127.0.0.1:{service.port}"}
    door = front(1, **limits) if name != "BACKEND" else front(service.port, **limits)
    with connect(door, f"POST {path} HTTP/1.1\r\nContent-Length: 5000") as client:
        client.sendall(b"x")
        wait_until(lambda: service.ends == ["incomplete"], "the service sees the end of the body", TIMEOUT_S)


def test_a_slow_body_arrives(front: Start, upstream: Callable[..., Upstream]) -> None:
    service = upstream()
    door = front(service.port, PLUMBLINE_FRONT_BODY_PATIENCE="2s", PLUMBLINE_FRONT_BODY_RATE="1000")
    with connect(door, "POST /channels HTTP/1.1\r\nContent-Length: 90000") as client:
        for _ in range(45):  # longer than the limit for a stalled body
            client.sendall(b"x" * 2000)
            time.sleep(0.06)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert service.ends == ["complete"]


def test_a_client_that_does_not_read_is_disconnected(front: Start, upstream: Callable[..., Upstream]) -> None:
    large = 32 * 1024**2
    service = upstream(f"HTTP/1.1 200 OK\r\nContent-Length: {large}\r\n\r\n".encode() + b"x" * large)
    door = front(1, PLUMBLINE_DATA_PROCESSOR=f"127.0.0.1:{service.port}", PLUMBLINE_FRONT_READ_PATIENCE="1s")
    with connect(door, "GET /data-processor/documents/1/content HTTP/1.1"):
        wait_until(
            lambda: service.ends == ["complete", "reader disconnected"], "the service's connection is closed", TIMEOUT_S
        )


@pytest.fixture
def reader() -> Iterator[int]:
    """The port of a service that reads everything and never answers."""

    def read(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=read, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/channels", 1_200_000, 413), ("/nowhere", 400_000, 404), ("/ingest", 4_300_000, 413)],
)
def test_after_a_refused_body_the_next_request_is_answered(
    front: Start, reader: int, tmp_path: Path, path: str, size: int, status: int, chunked: bool
) -> None:
    internal = free_port()
    door = front(reader, PLUMBLINE_LOG_SINK=f"127.0.0.1:{reader}", PLUMBLINE_INTERNAL_PORT=str(internal))
    alive, headers = "/", {}
    if path == "/ingest":
        door, alive = f"http://127.0.0.1:{internal}", "/health/live"
        headers["X-Plumbline-Internal"] = (tmp_path / "internal_secret").read_text().strip()

    body = b"x" * size
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    client = http.client.HTTPConnection(door.removeprefix("http://"), timeout=TIMEOUT_S)
    with contextlib.closing(client):
        # In one piece, so that everything was sent when the connection ends.
        client.request("POST", path, body, headers)
        answer = client.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("Connection")) == (status, "close")
        client.request("HEAD", alive)
        assert client.getresponse().status in (200, 204)


def test_a_session_continues_after_a_body_that_was_too_large(front: Start, reader: int) -> None:
    door = front(reader)
    session = direct_session()
    for _ in range(3):
        assert session.post(f"{door}/channels", data=b"x" * 1_200_000, timeout=TIMEOUT_S).status_code == 413
        assert session.head(door, timeout=TIMEOUT_S).status_code == 200
