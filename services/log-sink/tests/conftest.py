"""A real sink, as its own process, on a real Redis that starts empty for each test."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from plumbline.net import free_port
from plumbline.verification.service_process import ServiceProcess
from plumbline.verification.throwaway import INTERNAL_SECRET, THROUGH_CADDY, RedisServer, throwaway_redis

KEY = b',"plumbline_key":%s}' % json.dumps(INTERNAL_SECRET).encode()
"""What the Caddyfile appends to each entry."""


class SinkProcess(ServiceProcess):
    """One `python -m log_sink serve`."""

    package = "log_sink"
    folders = ("servicekit", "log-sink")
    live = "/logs/health/live"

    def __init__(self, redis_url: str, log: Path, **settings: object) -> None:
        self.ingest_port = free_port()
        super().__init__(redis_url, log)
        self.set(ingest_port=self.ingest_port)
        self.set(**settings)
        self.http = requests.Session()
        self.http.headers.update(THROUGH_CADDY)

    def worker(self) -> int:
        """Return the pid of the process that does the work."""
        main = self.running.pid
        (worker,) = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return int(worker)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.http.get(f"{self.url}{path}", timeout=10, **arguments)

    def stats(self) -> dict[str, Any]:
        return self.get("/logs/stats").json()

    def kept(self, **query: str) -> list[dict[str, Any]]:
        return self.get("/logs/entries", params=query).json()["items"]

    def messages(self, **query: str) -> list[str]:
        """Return the messages without the sink's own ones, which a busy machine may cause."""
        return [entry["message"] for entry in self.kept(**query) if entry["service"] != "log-sink"]

    def received(self) -> int:
        """Return the number of received entries without the sink's own."""
        shown = self.stats().get("by_service", {})
        return sum(counts["received"] for service, counts in shown.items() if service != "log-sink")

    def post(self, *entries: dict[str, Any] | bytes, **arguments: Any) -> requests.Response:
        lines = [entry if isinstance(entry, bytes) else json.dumps(entry).encode() for entry in entries]
        return self.http.post(f"{self.url}/ingest", data=b"\n".join(lines), timeout=10, **arguments)

    def datagram(self, *payloads: bytes) -> None:
        """Send entries as Caddy does: with the internal secret at the end."""
        self.unkeyed_datagram(*(payload.removesuffix(b"}") + KEY for payload in payloads))

    def unkeyed_datagram(self, *payloads: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for payload in payloads:
                sender.sendto(payload, ("127.0.0.1", self.ingest_port))

    def flood(self, *entries: dict[str, Any]) -> None:
        """Send many entries, in as many requests as a forwarder would need."""
        for start in range(0, len(entries), 1000):
            assert self.post(*entries[start : start + 1000]).status_code == 204

    def stream(self, **arguments: Any) -> EventStream:
        return EventStream(self.http.get(f"{self.url}/logs/stream", stream=True, timeout=15, **arguments))


class EventStream:
    """Reads server-sent events one by one: (event, id, data)."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def next(self) -> tuple[str, str | None, Any]:
        name, identity, data = "message", None, None
        for line in self._lines:
            field, _, value = line.decode().partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                identity = value
            elif field == "data":
                data = json.loads(value)
            elif not line and data is not None:
                return name, identity, data
        raise AssertionError("the stream ended")

    def until(self, wanted: Callable[[tuple[str, str | None, Any]], bool]) -> list[tuple[str, str | None, Any]]:
        """Return all events up to and including the first wanted one."""
        seen = []
        # The heartbeat keeps a stream alive for ever, so a missing event must fail here.
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            seen.append(self.next())
            if wanted(seen[-1]):
                return seen
        raise AssertionError(f"the event did not come within 30 s; the last of {len(seen)} events: {seen[-1]}")


def service_entry(message: str, **changes: Any) -> dict[str, Any]:
    """An entry as servicekit's forwarder sends it."""
    return {
        "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "warning",
        "service": "backend",
        "logger": "backend.test",
        "message": message,
        "request_id": None,
        "exception": None,
        "fields": {},
        **changes,
    }


def caddy_access(status: int = 502, uri: str = "/channels/", **changes: Any) -> dict[str, Any]:
    """An access entry as Caddy writes it: every status from 400 on has level error."""
    return {
        "level": "error" if status >= 400 else "info",
        "ts": 1763845137.125,
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": {
            "remote_ip": "127.0.0.1",
            "method": "GET",
            "host": "127.0.0.1:8080",
            "uri": uri,
            "headers": {"X-Request-Id": ["3f1c3f6c9d8b"], "Cookie": ["access_token=hunter2"]},
        },
        "duration": 0.001,
        "status": status,
        "resp_headers": {"Set-Cookie": ["access_token=hunter2"]},
        **changes,
    }


@pytest.fixture
def entry() -> Callable[..., dict[str, Any]]:
    return service_entry


@pytest.fixture
def access() -> Callable[..., dict[str, Any]]:
    return caddy_access


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for these tests alone, which stop and empty it."""
    with throwaway_redis() as server:
        yield server


@pytest.fixture
def empty_redis(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the session's Redis, emptied."""
    with redis.Redis.from_url(redis_server.admin_url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def start_sink(
    empty_redis: redis.Redis, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Callable[..., SinkProcess]]:
    """Start sinks; all are stopped after the test."""
    with ExitStack() as started:

        def start(*, wait: bool = True, **settings: object) -> SinkProcess:
            number = len(list(tmp_path.glob("sink-*.log")))
            sink = SinkProcess(redis_server.url, tmp_path / f"sink-{number}.log", **settings)
            started.callback(sink.kill)
            if wait:
                sink.start()
            else:
                sink.launch()
            return sink

        yield start


@pytest.fixture
def sink(start_sink: Callable[..., SinkProcess]) -> SinkProcess:
    """One running sink with default settings."""
    return start_sink()


@pytest.fixture(scope="session")
def idle_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkProcess]:
    """A sink on a Redis of its own, shared by tests that ask it and send it no entry that it accepts."""
    with throwaway_redis() as server:
        sink = SinkProcess(server.url, tmp_path_factory.mktemp("idle-sink") / "sink.log")
        try:
            sink.start()
            yield sink
        finally:
            sink.kill()
