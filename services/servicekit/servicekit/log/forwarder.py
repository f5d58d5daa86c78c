"""Hands log lines to Caddy from a bounded queue. The caller never waits; what does not fit is counted and reported."""

from __future__ import annotations

import http.client
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from servicekit.facts import BATCH_HEADER, DROPPED_HEADER, INTERNAL_HEADER, LOG_CAP, SUPERSEDED_HEADER
from servicekit.inside import InternalSecret
from servicekit.log.faults import counted
from servicekit.log.tally import Tally

QUEUE_SIZE = LOG_CAP
"""More than the recorder keeps of all together would wait for nothing."""
_TIMEOUT_S = 2.0
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0)
_PAUSE_S = 0.1
"""Between two batches, so that one after the other does not become a request each."""
_PAUSE_A_LINE_S = 0.005
"""And for each line of a batch: before each that is rendered here, and what is left of it after the batch was sent.
Requests wait for one of them at most, seldom, and not for what a thread that computes on and on is given at a time."""
LONGEST_PAUSE_S = 5.0
"""While lines are superseded all the time: what a batch costs the requests beside it is so rare that few meet it."""
_LOOK_S = 0.25
"""How long nothing must have been superseded for a flood to be over, so that its last entries arrive."""

Line = bytes | tuple[Any, ...]
"""A line with its line end; or a function that returns it, and its arguments. Not a partial, which takes thrice as long
to make: few are ever called."""
LEVELS = ("warning", "error", "critical")
"""What is forwarded."""


def render(line: Line) -> bytes:
    """Return the line, made now if it was not."""
    if isinstance(line, bytes):
        return line
    make, *arguments = line
    made: bytes = make(*arguments)
    return made


class _Ready(NamedTuple):
    """A line as it is sent, and how many entries it stands for."""

    level: str
    line: bytes
    stands_for: int = 1


@dataclass(slots=True)
class _Faults:
    """Faults of one kind that have not been sent: the first one's line, and how many there are."""

    line: Line
    count: int = 1


class _RefusedError(Exception):
    """The receiver will not take these lines, now or later: sending them again would only hold up the next ones."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one request carries. It stays as it is until it is answered, so that its number stands for it."""

    number: int
    begun: float
    """By the monotonic clock."""
    lines: list[_Ready]
    dropped: Counter[str]
    superseded: Counter[str]


class Forwarder:
    """A queue of the newest lines, and one thread that posts them as NDJSON to `url`.

    While the receiver is away or slow the newest `QUEUE_SIZE` lines wait; older ones are superseded, as they would be
    in the recorder. They are counted by level, and so are lines that the receiver refused; the counts travel in
    headers with the next batch.

    Offering takes no lock, because in a flood it is most of what a line costs: that a line is queued, and the oldest
    gives way, is one step of the interpreter.
    """

    def __init__(self, service: str, url: str, secret: InternalSecret) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"log forward URL must be http://host:port/path, not {url!r}")
        self._service = service
        self._secret = secret
        self._address = (parts.hostname, parts.port or 80)
        self._path = parts.path or "/"
        self._id = uuid.uuid4().hex
        self._number = 0
        self._queue: deque[tuple[str, Line]] = deque(maxlen=QUEUE_SIZE)
        self._offered = {level: Tally() for level in LEVELS}
        self._accounted: Counter[str] = Counter()
        """How many of them were taken out of the queue or told as superseded."""
        self._superseded: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._faults: dict[tuple[str, str], _Faults] = {}
        self._faults_lock = threading.Lock()
        self._waiting: _Batch | None = None
        self._filled = threading.Event()
        self._closing = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="log-forwarder", daemon=True)
        self._thread.start()

    def offer(self, level: str, line: Line) -> None:
        """Queue one line of one of `LEVELS`. Returns at once; when the queue is full the oldest line gives way."""
        # In this order: what is not counted yet is never taken for superseded, and what is counted is looked at.
        self._queue.append((level, line))
        self._offered[level].add()
        if not self._filled.is_set():
            self._filled.set()

    def count(self, level: str, kind: str, make: Callable[[], Line]) -> None:
        """Count one fault of a kind. `make` gives its line, and is called only if no fault of that kind waits yet.

        Faults do not stand in the queue, so that they cannot push out what else waits there.
        """
        with self._faults_lock:
            waiting = self._faults.get((level, kind))
            if waiting is None:
                self._faults[level, kind] = _Faults(make())
            else:
                waiting.count += 1
        if not self._filled.is_set():
            self._filled.set()

    def close(self, timeout_s: float) -> None:
        """Send what is queued, for `timeout_s` seconds at most, and stop."""
        self._closing.set()
        self._filled.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            batch = self._waiting or self._next_batch()
            if batch is None:
                return
            self._waiting = batch
            try:
                self._post(batch)
            except _RefusedError as error:
                self._write_off(batch)
                self._report(error, "entries are lost until it takes them")
            except Exception as error:  # whatever it is, this thread must live: nobody would start it again
                self._report(error, f"the newest {QUEUE_SIZE} entries wait until it is back")
            else:
                self._waiting = None
                self._failures = 0
            if self._closing.is_set() and self._failures:
                self._report_unsent()
                return
            if self._failures:
                self._closing.wait(self._backoff_s())
            else:
                self._rest(batch)

    def _rest(self, sent: _Batch) -> None:
        """Let lines come together after a batch was sent; in a flood until it is over, or `LONGEST_PAUSE_S`."""
        now, lines = time.monotonic(), len(sent.lines)
        longest = now + LONGEST_PAUSE_S
        # Not by the queue's event: every line that is offered meanwhile would wake this thread.
        self._closing.wait(max(_PAUSE_S, sent.begun + lines * _PAUSE_A_LINE_S - now))
        while lines >= QUEUE_SIZE == len(self._queue) and time.monotonic() < longest:
            before = self._unaccounted()
            if self._closing.wait(_LOOK_S) or self._unaccounted() == before:
                return

    def _unaccounted(self) -> Counter[str]:
        return Counter({level: tally.total() for level, tally in self._offered.items()}) - self._accounted

    def _backoff_s(self) -> float:
        return _BACKOFF_S[min(self._failures, len(_BACKOFF_S)) - 1]

    def _next_batch(self) -> _Batch | None:
        """Wait for lines and return them all; None when there will be no more."""
        while True:
            if not self._closing.is_set():
                self._filled.wait()
            self._filled.clear()
            # First what was offered, then what is there of it: lines that come in between are superseded of the next.
            offered = self._unaccounted()
            waiting = [self._queue.popleft() for _ in range(len(self._queue))]
            with self._faults_lock:
                faults, self._faults = self._faults, {}
            if waiting or offered or faults:
                break
            if self._closing.is_set():
                return None
        taken = Counter(level for level, _ in waiting)
        superseded = offered - taken
        self._accounted += taken + superseded
        superseded += self._superseded
        dropped, self._dropped, self._superseded = self._dropped, Counter(), Counter()
        self._number += 1
        batch = _Batch(self._number, time.monotonic(), [], dropped, superseded)
        for level, line in waiting:
            try:
                batch.lines.append(_Ready(level, self._rendered(line)))
            except Exception:  # a fault of ours; it costs this line, and neither this thread nor the others
                batch.dropped[level] += 1
        for (level, kind), some in faults.items():
            batch.lines.append(_Ready(level, counted(self._rendered(some.line), kind, some.count), some.count))
        return batch

    def _rendered(self, line: Line) -> bytes:
        if not isinstance(line, bytes) and not self._closing.is_set():
            time.sleep(_PAUSE_A_LINE_S)
        return render(line)

    def _post(self, batch: _Batch) -> None:
        headers: dict[str, str | bytes] = {
            "Content-Type": "application/x-ndjson",
            BATCH_HEADER: f"{self._id}-{batch.number}",
            INTERNAL_HEADER: self._secret.current(),
        }
        for header, counts in ((DROPPED_HEADER, batch.dropped), (SUPERSEDED_HEADER, batch.superseded)):
            if counts:
                headers[header] = ", ".join(
                    f"{self._service};level={level};count={count}" for level, count in sorted(counts.items())
                )
        body = b"".join(ready.line for ready in batch.lines)
        try:
            status = self._request(body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            # An idle connection that the other side has closed says nothing about the other side's health.
            status = self._request(body, headers)
        if status >= 500 or status in _BUSY:
            raise http.client.HTTPException(f"answered {status}")
        if status >= 300:
            raise _RefusedError(f"answered {status}")

    def _request(self, body: bytes, headers: dict[str, str | bytes]) -> int:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            response.read()
        except Exception:
            self._connection.close()
            self._connection = None
            raise
        return response.status

    def _write_off(self, batch: _Batch) -> None:
        self._waiting = None
        self._superseded += batch.superseded
        self._dropped += batch.dropped
        for ready in batch.lines:
            self._dropped[ready.level] += ready.stands_for

    def _report_unsent(self) -> None:
        left = len(self._queue) + sum(faults.count for faults in self._faults.values())
        left += sum(ready.stands_for for ready in self._waiting.lines) if self._waiting else 0
        if left:
            print(f"log forwarding ends with {left} entries that nobody took", file=sys.stderr, flush=True)

    def _report(self, error: Exception, consequence: str) -> None:
        self._failures += 1
        # Through print, not logging: trouble with forwarding must not create entries to forward.
        if self._failures == 1:
            host, port = self._address
            print(
                f"log forwarding to {host}:{port} failed ({error.__class__.__name__}: {error}); {consequence}",
                file=sys.stderr,
                flush=True,
            )
