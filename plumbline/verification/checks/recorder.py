"""Reads the recorder through its Redis stream and its API, and makes services log."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import redis
import requests
from servicekit.events import SEPARATOR, Event, encode
from servicekit.secrets import read_secret

from plumbline import net
from plumbline import recorder as operator
from plumbline.components import LOG_SINK, REDIS
from plumbline.errors import NotGivenError
from plumbline.home import Home
from plumbline.net import free_port
from plumbline.patience import Patience, work_of
from plumbline.stack import RedisAddress, Stack
from plumbline.targets.embedded.programs import Layout, service_command
from plumbline.verification import waiting
from plumbline.verification.checks import evidence
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.contract import EVENTS_CHANNEL, INTERNAL_HEADER, LOG_STREAM
from plumbline.verification.checks.disruption import permit
from plumbline.verification.throwaway import wait_for_value, wait_until

TIMEOUT_S = 30.0
BURST = 1000
_LINES_PER_CALL = 1000
_EVENTS_PER_MESSAGE = 100


def stream(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the entries of the Redis stream, oldest first."""
    held: Any = client.xrange(LOG_STREAM)
    evidence.note("stream_length", len(held))
    return [orjson.loads(fields["entry"]) for _, fields in held]


def wait_for(client: redis.Redis, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Return the newest entry that is `wanted`; fail with `what` if none came, and no other entry for a while."""
    patience = Patience(TIMEOUT_S)
    with waiting.on(f"the recorder's {what}"):
        while True:
            held = stream(client)
            for entry in reversed(held):
                if wanted(entry):
                    return dict(entry)
            if patience.is_over(lambda held=held: held[-1:]):  # type: ignore[misc]
                raise AssertionError(f"the recorder has no {what} after {patience}{_newest(client, held)}")
            time.sleep(0.05)


def _newest(client: redis.Redis, held: list[dict[str, Any]]) -> str:
    """Return what the recorder has instead of an entry."""
    newest = "".join(f"\n  {one['service']} {one['level']} {one['message']}" for one in held[-5:])
    return (f"; its newest entries:{newest}\n" if held else "; it holds no entry at all. ") + _heard(client)


def _heard(client: redis.Redis) -> str:
    """Return which services the recorder has heard of since it began: one that is missing does not reach it."""
    counters: Any = client.hgetall(f"{LOG_STREAM}:counters")
    counted = {str(name).split("|", 1)[1]: number for name, number in counters.items() if "received|" in str(name)}
    heard = ", ".join(f"{name.replace('|', ' ')} {number}" for name, number in counted.items())
    if not heard:
        return "It has received nothing since it began: no service reaches it, so look at caddy and log-sink"
    return f"Since it began it has received: {heard}. A service that is missing there does not reach it"


def events(answer: requests.Response) -> Iterator[tuple[str, str, Any]]:
    """Yield name, id and data of each event of a live tail; ends after a timeout, because heartbeats never end."""
    deadline, name, identity = time.monotonic() + TIMEOUT_S, "message", ""
    for line in answer.iter_lines(decode_unicode=True):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            identity = value
        elif field == "data":
            yield name, identity, orjson.loads(value)
            name, identity = "message", ""
        if time.monotonic() > deadline:
            return


def log_warnings(stack: Stack, user: User, *marks: str) -> None:
    """Make the backend log one warning per mark, in this order, by sending it unreadable live events.

    Warnings that clients cause are folded, so they would not leave one entry each.
    """
    begin, end = ({"type": "message", "content": secrets.token_hex(8)} for _ in range(2))
    with user.socket() as connection, stack.redis.connect(socket_timeout=TIMEOUT_S) as client:

        def listens() -> bool:
            client.publish(EVENTS_CHANNEL, encode(Event(None, begin, [user.id])))
            return begin in connection.drain()

        wait_until(listens, "the backend listens to events")
        for first in range(0, len(marks), _EVENTS_PER_MESSAGE):
            some = [mark.encode() for mark in marks[first : first + _EVENTS_PER_MESSAGE]]
            client.publish(EVENTS_CHANNEL, SEPARATOR.join(some))
        client.publish(EVENTS_CHANNEL, encode(Event(None, end, [user.id])))
        connection.wait_for("message", content=end["content"])


def log_burst(stack: Stack, user: User, name: str) -> list[str]:
    """Make the backend log `BURST` warnings, each with its own mark; return the marks in order."""
    permit(f"floods the recorder with {BURST} warnings")
    marks = [f"{name}-{number:04}" for number in range(BURST)]
    log_warnings(stack, user, *marks)
    return marks


def send_bad_token(stack: Stack, client: redis.Redis, path: str = "/auth/me", service: str = "backend") -> str:
    """Send a bad token to a service; return the request's id after the recorder has counted its warning."""
    before = received(client, service)
    headers = {"Authorization": "Bearer not.a.token"}
    answer = Answer(requests.get(stack.base_url + path, headers=headers, timeout=TIMEOUT_S))
    answer.expect_problem(401)
    try:
        wait_for_value(
            lambda: received(client, service),
            lambda counted: counted > before,
            f"the recorder to count a bad token at {service}, as warning number {before + 1}",
        )
    except AssertionError as error:
        raise AssertionError(f"{error}. {_heard(client)}") from None
    return answer.request_id


def received(client: redis.Redis, service: str, level: str = "warning") -> int:
    """Return how many entries of a service and level the recorder has received."""
    counted: Any = client.hget(f"{LOG_STREAM}:counters", f"received|{service}|{level}")
    return int(counted or 0)


def end_fault_windows(client: redis.Redis) -> None:
    """End all folding windows, so that the next fault of each kind gets a new entry."""
    counters: Any = client.hgetall(f"{LOG_STREAM}:counters")
    if windows := [name for name in counters if name.startswith("open|")]:
        client.hdel(f"{LOG_STREAM}:counters", *windows)


class Lengths:
    """Sampled lengths of the stream."""

    def __init__(self) -> None:
        self.samples = 0
        self.longest = 0

    def add(self, length: int) -> None:
        """Add a sample."""
        self.samples += 1
        self.longest = max(self.longest, length)
        evidence.note("stream_length", length)
        evidence.note("stream_samples", self.samples)


@contextmanager
def sample_length(address: RedisAddress) -> Iterator[Lengths]:
    """Sample the stream's length continuously, in a thread, within the context."""
    lengths = Lengths()
    done = threading.Event()
    started = threading.Event()

    def sample() -> None:
        with address.connect(socket_timeout=TIMEOUT_S) as client:
            while not done.is_set():
                lengths.add(int(client.xlen(LOG_STREAM)))
                started.set()

    thread = threading.Thread(target=sample, name="stream-length")
    thread.start()
    try:
        assert started.wait(TIMEOUT_S), "the stream's length could not be sampled"
        yield lengths
    finally:
        done.set()
        thread.join()


class SampledCounters:
    """Number of sampled counters, and those that did not balance."""

    def __init__(self) -> None:
        self.samples = 0
        self.unbalanced: list[dict[str, Any]] = []


@contextmanager
def sample_counters(stack: Stack) -> Iterator[SampledCounters]:
    """Sample the recorder's counters continuously, in a thread, within the context."""
    found, done = SampledCounters(), threading.Event()

    def sample() -> None:
        with counter_reader(stack) as read:
            while not done.is_set():
                shown = read()
                found.samples += 1
                if not counters_balance(shown):
                    found.unbalanced.append(shown)

    thread = threading.Thread(target=sample, name="sampled-counters")
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


@contextmanager
def counter_reader(stack: Stack) -> Iterator[Callable[[], dict[str, Any]]]:
    """Yield a function that reads received, kept, superseded and dropped: in total, `by_service` and `by_level`.

    It waits while the recorder is not available: after a restart, its log-sink may need a moment to find Redis.
    """

    def ask() -> tuple[int, str]:
        answer = session.get(f"{stack.base_url}/logs/stats", timeout=TIMEOUT_S)
        return answer.status_code, answer.text

    def read() -> dict[str, Any]:
        _, text = wait_for_value(ask, lambda answer: answer[0] == 200, "the recorder to answer /logs/stats")
        shown: dict[str, Any] = orjson.loads(text)
        return shown

    with operator.operator_session(stack) as session:
        yield read


def counters_balance(shown: dict[str, Any]) -> bool:
    """Return whether received = kept + superseded + dropped, in total, by service and by level."""
    parts = [shown, *shown["by_service"].values(), *shown["by_level"].values()]
    return all(one["received"] == one["kept"] + one["superseded"] + one["dropped"] for one in parts)


@dataclass(frozen=True, slots=True)
class SecondSink:
    """A second log-sink on a stack's Redis, which gets entries in the form in which Caddy sends them."""

    url: str
    secret: str

    def send(self, payload: bytes) -> None:
        """Send entries, one per line."""
        answer = requests.post(
            f"{self.url}/ingest", data=payload, headers={INTERNAL_HEADER: self.secret}, timeout=TIMEOUT_S
        )
        assert answer.status_code == 204, answer.text

    def flood(self, service: str, count: int) -> None:
        """Send `count` warnings of `service`, numbered from 0 in their messages."""
        head = b'{"level":"warning","service":"%s","logger":"flood","message":"' % service.encode()
        for first in range(0, count, _LINES_PER_CALL):
            numbers = range(first, min(first + _LINES_PER_CALL, count))
            self.send(b"".join(b'%s%d"}\n' % (head, number) for number in numbers))


@contextmanager
def second_sink(stack: Stack) -> Iterator[SecondSink]:
    """Run a second log-sink on the stack's Redis. Raises NotGivenError for a remote stack."""
    permit("runs a second log-sink")
    if not stack.home:
        raise NotGivenError("needs to run a second log-sink on the stack's Redis (not possible on a remote stack)")
    ports = {**{port.name: free_port() for port in LOG_SINK.ports}, REDIS.port.name: 0}
    home = Home(Path(stack.home))
    layout = Layout(home, ports, stack.stack_id)
    environment = layout.service_environment(LOG_SINK.name) | {"PLUMBLINE_REDIS_URL": stack.redis.url}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(service_command(LOG_SINK.name), env=environment, cwd="/", stdout=log, stderr=log)
        try:
            patience = Patience(TIMEOUT_S)
            while not _answers(layout.url(LOG_SINK.name, LOG_SINK.health_path)):
                if process.poll() is not None or patience.is_over(lambda: work_of(process.pid)):
                    log.seek(0)
                    raise AssertionError(f"the second log-sink did not start: {log.read().decode()[-2000:]}")
                time.sleep(0.02)
            yield SecondSink(layout.url(LOG_SINK.name), read_secret(home.secrets / "internal_secret"))
        finally:
            process.terminate()
            process.wait(2 * TIMEOUT_S)


def _answers(url: str) -> bool:
    try:
        with net.direct_session() as http:
            return http.get(url, timeout=5).ok
    except requests.RequestException:
        return False
