"""A real HTTP receiver for log lines that can fail on request; a clock that tests set."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from servicekit.facts import BATCH_HEADER, DROPPED_HEADER, INTERNAL_HEADER, SUPERSEDED_HEADER
from servicekit.inside import InternalSecret
from servicekit.log import forwarder as forwarder_module
from servicekit.log.forwarder import Forwarder, Line

from plumbline.net import free_port


@dataclass
class Post:
    """One request as it arrived."""

    path: str
    content_type: str | None
    dropped: str | None
    superseded: str | None
    batch: str | None
    internal: str | None
    lines: list[bytes]


class Receiver:
    """Takes NDJSON posts. `statuses` are answered first, then 204. A held request is never answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/ingest"
        self.posts: list[Post] = []
        self.seen = 0
        self.batches: list[str | None] = []
        self.statuses: list[int] = []
        self.release = threading.Event()
        self.release.set()
        self._server: ThreadingHTTPServer | None = None
        self._connections: list[socket.socket] = []

    def hold(self) -> None:
        """Accept further requests without answering them, until `release` is set."""
        self.release.clear()

    @property
    def lines(self) -> list[bytes]:
        """Every line of every post that was answered with success, in order of arrival."""
        return [line for post in self.posts for line in post.lines]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The same as JSON."""
        return [orjson.loads(line) for line in self.lines]

    @property
    def numbers(self) -> list[int]:
        """The value of `n` in each entry: tests of forwarding number their lines."""
        return [entry["n"] for entry in self.entries]

    def start(self) -> Receiver:
        """Listen."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.seen += 1
                receiver.batches.append(self.headers[BATCH_HEADER])
                if not receiver.release.is_set():
                    receiver.release.wait()
                    self.close_connection = True
                    return
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status < 300:
                    names = ("Content-Type", DROPPED_HEADER, SUPERSEDED_HEADER, BATCH_HEADER, INTERNAL_HEADER)
                    receiver.posts.append(Post(self.path, *map(self.headers.get, names), body.splitlines()))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def setup(self) -> None:
                super().setup()
                receiver._connections.append(self.connection)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                # Some tests reset connections on purpose, and other tests read standard error.
                if not isinstance(sys.exception(), ConnectionError):
                    super().handle_error(*_)

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="receiver", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and release every held request."""
        self.release.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.hang_up()

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        while self._connections:
            with contextlib.suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)


@pytest.fixture
def new_receiver() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers that do not listen yet."""
    made: list[Receiver] = []

    def new() -> Receiver:
        made.append(Receiver(free_port()))
        return made[-1]

    yield new
    for receiver in made:
        receiver.stop()


@pytest.fixture
def receiver(new_receiver: Callable[[], Receiver]) -> Receiver:
    """A receiver that listens."""
    return new_receiver().start()


@pytest.fixture
def new_forwarder(monkeypatch: pytest.MonkeyPatch, secret: InternalSecret) -> Iterator[Callable[[str], Forwarder]]:
    """Makes forwarders with short waits and no pauses."""
    for name, value in (("_TIMEOUT_S", 0.3), ("_BACKOFF_S", (0.02,)), ("_PAUSE_S", 0.0), ("_PAUSE_A_LINE_S", 0.0)):
        monkeypatch.setattr(forwarder_module, name, value)
    made: list[Forwarder] = []

    def new(url: str) -> Forwarder:
        made.append(Forwarder("backend", url, secret))
        return made[-1]

    yield new
    for forwarder in made:
        forwarder._queue.clear()
        forwarder.close(5)
        assert not forwarder._thread.is_alive()


@dataclass
class Clock:
    """The monotonic clock of this process; only a test advances it."""

    now: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


class Offered:
    """Replaces a forwarder and keeps everything that a handler offers."""

    def __init__(self) -> None:
        self.levels: list[str] = []
        self.lines: list[Line] = []
        self.dropped: list[str] = []

    def offer(self, level: str, line: Line) -> None:
        """Keep it."""
        self.levels.append(level)
        self.lines.append(line)

    def drop(self, level: str) -> None:
        """Keep its level."""
        self.dropped.append(level)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries of all lines."""
        return [orjson.loads(line if isinstance(line, bytes) else line()) for line in self.lines]


@pytest.fixture
def offered() -> Offered:
    """An empty `Offered`."""
    return Offered()
