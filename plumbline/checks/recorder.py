"""What the recorder holds, read from its Redis stream and from its API."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import redis
import requests
from servicekit.facts import LOG_STREAM

from plumbline import net
from plumbline import recorder as operator
from plumbline.checks.client import User
from plumbline.checks.disturbance import disturbs
from plumbline.errors import NotGivenError
from plumbline.home import Home
from plumbline.net import free_port
from plumbline.stack import Stack
from plumbline.targets.embedded.programs import Layout, service_command

PATIENCE_S = 20.0
BURST = 1000
_LINES_A_CALL = 1000


def stream(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the entries of the stream as they are in Redis, oldest first."""
    held: Any = client.xrange(LOG_STREAM)
    return [orjson.loads(fields["entry"]) for _, fields in held]


def wait_for(client: redis.Redis, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Return the newest entry that is `wanted`; fail, saying what was looked for, if none arrives in time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        held = stream(client)
        for entry in reversed(held):
            if wanted(entry):
                return dict(entry)
        if time.monotonic() > deadline:
            newest = "\n  ".join(f"{one['service']} {one['level']} {one['message']}" for one in held[-5:])
            raise AssertionError(f"the recorder has no {what} after {PATIENCE_S:g} s; its newest entries:\n  {newest}")
        time.sleep(0.05)


def burst(user: User, name: str) -> list[str]:
    """Make the backend log `BURST` warnings, each with a mark of its own, in a known order; return the marks."""
    disturbs(f"floods the recorder with {BURST} warnings")
    marks = [f"{name}-{number:04}" for number in range(BURST)]
    with user.socket() as connection:
        for mark in marks:
            connection.send({"type": mark})
        connection.drain()
    return marks


class Lengths:
    """Lengths of the stream that a sampler saw."""

    def __init__(self) -> None:
        self.samples = 0
        self.longest = 0

    def add(self, length: int) -> None:
        """Take one sample."""
        self.samples += 1
        self.longest = max(self.longest, length)


@contextmanager
def sampled_length(url: str) -> Iterator[Lengths]:
    """Sample the stream's length as fast as Redis answers, on a thread of its own, for as long as the block runs."""
    lengths = Lengths()
    done = threading.Event()
    started = threading.Event()

    def sample() -> None:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            while not done.is_set():
                lengths.add(int(client.xlen(LOG_STREAM)))
                started.set()

    thread = threading.Thread(target=sample, name="stream-length")
    thread.start()
    try:
        assert started.wait(PATIENCE_S), "the stream's length could not be sampled"
        yield lengths
    finally:
        done.set()
        thread.join()


class Books:
    """Counts that a sampler saw: how often, and those that did not add up."""

    def __init__(self) -> None:
        self.samples = 0
        self.wrong: list[dict[str, Any]] = []


@contextmanager
def sampled_books(stack: Stack) -> Iterator[Books]:
    """Read the recorder's counts over and over, on a thread of its own, for as long as the block runs."""
    found, done = Books(), threading.Event()

    def sample() -> None:
        with books(stack) as read:
            while not done.is_set():
                shown = read()
                found.samples += 1
                if not adds_up(shown):
                    found.wrong.append(shown)

    thread = threading.Thread(target=sample, name="books")
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


@contextmanager
def books(stack: Stack) -> Iterator[Callable[[], dict[str, Any]]]:
    """Yield what reads received, kept, superseded, dropped; in all, `by_service` and `by_level`. One login for all."""

    def read() -> dict[str, Any]:
        answer = session.get(f"{stack.base_url}/logs/stats", timeout=10)
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    with operator.operator_session(stack) as session:
        yield read


def adds_up(shown: dict[str, Any]) -> bool:
    """Say whether what was received is what was kept, superseded and dropped: in all, by service and by level."""
    parts = [shown, *shown["by_service"].values(), *shown["by_level"].values()]
    return all(one["received"] == one["kept"] + one["superseded"] + one["dropped"] for one in parts)


@contextmanager
def sink_beside(stack: Stack) -> Iterator[int]:
    """Run one more log-sink on the stack's Redis, and yield the port of its line protocol. Raises NotGivenError."""
    disturbs("runs a second log-sink")
    if not stack.home:
        raise NotGivenError("needs to run a second log-sink on the stack's Redis (never done to a remote stack)")
    ports = {"log-sink": free_port(), "log-ingest": free_port(), "redis": 0}
    layout = Layout(Home(Path(stack.home)), ports, stack.stack_id)
    environment = layout.service_environment("log-sink") | {"PLUMBLINE_REDIS_URL": stack.redis.url}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            service_command("log-sink", "serve"), env=environment, cwd="/", stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not _answers(layout.url("log-sink", "/logs/health")):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(f"the second log-sink did not start: {log.read().decode()[-2000:]}")
                time.sleep(0.02)
            yield ports["log-ingest"]
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _answers(url: str) -> bool:
    try:
        with net.direct_session() as http:
            return http.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def send(port: int, payload: bytes) -> None:
    """Send lines over the line protocol."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sender:
        sender.sendall(payload)


def flood(port: int, service: str, count: int) -> None:
    """Send `count` warnings of `service`, numbered from 0 in their messages, over the line protocol."""
    head = b'{"level":"warning","service":"%s","logger":"flood","message":"' % service.encode()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sender:
        for first in range(0, count, _LINES_A_CALL):
            numbers = range(first, min(first + _LINES_A_CALL, count))
            sender.sendall(b"".join(b'%s%d"}\n' % (head, number) for number in numbers))
