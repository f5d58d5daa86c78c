"""Sends log lines through Caddy to the recorder, from a bounded queue. Callers never wait; every line is counted."""

from __future__ import annotations

import http.client
import sys
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from servicekit.facts import BATCH_HEADER, DROPPED_HEADER, INTERNAL_HEADER, LOG_CAP, SUPERSEDED_HEADER
from servicekit.inside import InternalSecret
from servicekit.log.faults import counted

QUEUE_SIZE = LOG_CAP
"""The recorder keeps no more than this of all processes together."""
_TIMEOUT_S = 2.0
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0)
_PAUSE_S = 0.25
"""Between two batches, so that lines share a request."""
_PAUSE_A_LINE_S = 0.005
"""Before each line that is rendered here, so that requests wait for the interpreter for one line at most."""

Line = bytes | Callable[[], bytes]
"""A line with its line end, or a function that returns it."""


class _Ready(NamedTuple):
    """A line as it is sent, and the number of entries that it represents."""

    level: str
    text: bytes
    stands_for: int = 1


@dataclass(slots=True)
class _Faults:
    """Faults of one kind that have not been sent: the line of the first, and their number."""

    line: bytes
    count: int = 1


class _RefusedError(Exception):
    """The receiver will never accept these lines; sending them again would only delay the next ones."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """The content of one request. A repeated request has the same content and the same number."""

    number: int
    lines: list[_Ready]
    dropped: Counter[str]
    superseded: Counter[str]

    @property
    def entries(self) -> int:
        """Number of entries that the lines represent."""
        return sum(line.stands_for for line in self.lines)


class Forwarder:
    """A queue of the newest lines, and one thread that posts them as NDJSON to `url`.

    While the receiver is away or slow, the newest `QUEUE_SIZE` lines wait, and they supersede older ones, as in the
    recorder. Superseded and dropped lines (the receiver refused them, or they could not be rendered) are counted
    by level; the counts travel in headers with the next batch.
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
        self._queue: deque[tuple[str, Line]] = deque()
        self._faults: dict[tuple[str, str], _Faults] = {}
        self._superseded: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._changed = threading.Condition()
        """Guards the four above. Its lock is reentrant: a signal handler may log, too."""
        self._closing = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="log-forwarder", daemon=True)
        self._thread.start()

    def offer(self, level: str, line: Line) -> None:
        """Queue one line. Returns at once; if the queue is full, the oldest line is superseded."""
        with self._changed:
            if len(self._queue) >= QUEUE_SIZE:
                self._superseded[self._queue.popleft()[0]] += 1
            self._queue.append((level, line))
            self._changed.notify()

    def count(self, level: str, kind: str, make: Callable[[], bytes]) -> None:
        """Count one fault of a kind. `make` returns its line; it is called only if no fault of that kind is waiting.

        Faults do not enter the queue, so they supersede nothing.
        """
        with self._changed:
            waiting = self._faults.get((level, kind))
            if waiting is None:
                self._faults[level, kind] = _Faults(make())
            else:
                waiting.count += 1
            self._changed.notify()

    def drop(self, level: str) -> None:
        """Count an entry whose line could not be rendered."""
        with self._changed:
            self._dropped[level] += 1

    def close(self, timeout_s: float) -> None:
        """Send what is queued, for `timeout_s` seconds at most, and stop."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            while not self._settle(batch):
                if self._closing.is_set():
                    self._report_unsent(batch)
                    return
                self._closing.wait(_BACKOFF_S[min(self._failures, len(_BACKOFF_S)) - 1])
            self._closing.wait(_PAUSE_S)

    def _next_batch(self) -> _Batch | None:
        """Wait for lines and return all of them; None if the forwarder is closing and there are none."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._faults or self._closing.is_set())
            if not self._queue and not self._faults:
                return None
            queue, self._queue = self._queue, deque()
            faults, self._faults = self._faults, {}
            self._number += 1
            batch = _Batch(self._number, [], self._dropped, self._superseded)
            self._dropped, self._superseded = Counter(), Counter()
        for level, line in queue:
            try:
                batch.lines.append(_Ready(level, self._rendered(line)))
            except Exception:  # one bad line must not end this thread or lose the other lines
                batch.dropped[level] += 1
        for (level, kind), some in faults.items():
            batch.lines.append(_Ready(level, counted(some.line, kind, some.count), some.count))
        return batch

    def _rendered(self, line: Line) -> bytes:
        if isinstance(line, bytes):
            return line
        self._closing.wait(_PAUSE_A_LINE_S)
        return line()

    def _settle(self, batch: _Batch) -> bool:
        """Send the batch once; return whether it is settled: accepted, or refused for good."""
        try:
            self._post(batch)
        except _RefusedError as error:
            self._write_off(batch)
            self._report(error, "entries are lost until it accepts them")
        except Exception as error:  # any exception: nothing would restart this thread
            self._report(error, f"the newest {QUEUE_SIZE} entries wait until it is back")
            return False
        else:
            self._failures = 0
        return True

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
        body = b"".join(line.text for line in batch.lines)
        try:
            status = self._request(body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            # The receiver may have closed an idle connection, which is no failure.
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
        with self._changed:
            self._superseded += batch.superseded
            self._dropped += batch.dropped
            for line in batch.lines:
                self._dropped[line.level] += line.stands_for

    def _report_unsent(self, batch: _Batch) -> None:
        with self._changed:
            left = batch.entries + len(self._queue) + sum(faults.count for faults in self._faults.values())
        print(f"log forwarding ends with {left} entries not sent", file=sys.stderr, flush=True)

    def _report(self, error: Exception, consequence: str) -> None:
        self._failures += 1
        # Printed, not logged: a failure to forward must not create entries to forward.
        if self._failures == 1:
            host, port = self._address
            print(
                f"log forwarding to {host}:{port} failed ({error.__class__.__name__}: {error}); {consequence}",
                file=sys.stderr,
                flush=True,
            )
