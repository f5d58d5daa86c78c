"""Hands log lines to Caddy from a bounded queue. The caller never waits; what does not fit is counted and reported."""

from __future__ import annotations

import http.client
import sys
import threading
from collections import Counter, deque
from http import HTTPStatus
from urllib.parse import urlsplit

from servicekit.facts import DROPPED_HEADER, LOG_CAP

QUEUE_SIZE = 5 * LOG_CAP
_BATCH = LOG_CAP
_BATCH_BYTES = 1 << 20
"""Well below what Caddy's internal listener takes, so that a batch is never refused for its size."""
_TIMEOUT_S = 2.0
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0)


class _RefusedError(Exception):
    """The receiver will not take these lines, now or later: sending them again would only hold up the next ones."""


class Forwarder:
    """A queue of the newest lines, and one thread that posts them as NDJSON to `url`.

    While the receiver is away the newest `QUEUE_SIZE` lines wait; older ones are counted by level and the counts
    travel in a header with the next batch that arrives. So do the counts of lines that the receiver refused.
    """

    def __init__(self, service: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"log forward URL must be http://host:port/path, not {url!r}")
        self._service = service
        self._address = (parts.hostname, parts.port or 80)
        self._path = parts.path or "/"
        self._queue: deque[tuple[str, bytes]] = deque()
        self._dropped: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False
        self._connection: http.client.HTTPConnection | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="log-forwarder", daemon=True)
        self._thread.start()

    def offer(self, level: str, line: bytes) -> None:
        """Queue one line (with its line end). Returns at once; when the queue is full the oldest line gives way."""
        with self._changed:
            if len(self._queue) >= QUEUE_SIZE:
                self._dropped[self._queue.popleft()[0]] += 1
            self._queue.append((level, line))
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Send what is queued, for `timeout_s` seconds at most, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if not self._queue:
                    return
                batch = self._next_batch()
                dropped, self._dropped = self._dropped, Counter()
            try:
                self._post(b"".join(line for _, line in batch), dropped)
            except _RefusedError as error:
                self._write_off(batch, dropped)
                self._report(error, "entries are lost until it takes them")
            except Exception as error:  # whatever it is, this thread must live: nobody would start it again
                self._give_back(batch, dropped)
                self._report(error, f"the newest {QUEUE_SIZE} entries wait until it is back")
            else:
                self._failures = 0
                continue
            with self._changed:
                if self._closed:
                    return
                self._changed.wait_for(lambda: self._closed, _BACKOFF_S[min(self._failures, len(_BACKOFF_S)) - 1])

    def _next_batch(self) -> list[tuple[str, bytes]]:
        batch: list[tuple[str, bytes]] = []
        size = 0
        while self._queue and len(batch) < _BATCH and (not batch or size + len(self._queue[0][1]) <= _BATCH_BYTES):
            batch.append(self._queue.popleft())
            size += len(batch[-1][1])
        return batch

    def _post(self, body: bytes, dropped: Counter[str]) -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        if dropped:
            headers[DROPPED_HEADER] = ", ".join(
                f"{self._service};level={level};count={count}" for level, count in sorted(dropped.items())
            )
        try:
            status = self._request(body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            # An idle connection that the other side has closed says nothing about the other side's health.
            status = self._request(body, headers)
        if status >= 500 or status in _BUSY:
            raise http.client.HTTPException(f"answered {status}")
        if status >= 300:
            raise _RefusedError(f"answered {status}")

    def _request(self, body: bytes, headers: dict[str, str]) -> int:
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

    def _give_back(self, batch: list[tuple[str, bytes]], dropped: Counter[str]) -> None:
        with self._changed:
            self._dropped += dropped
            room = QUEUE_SIZE - len(self._queue)
            lost, kept = batch[: max(0, len(batch) - room)], batch[max(0, len(batch) - room) :]
            self._dropped.update(level for level, _ in lost)
            self._queue.extendleft(reversed(kept))

    def _write_off(self, batch: list[tuple[str, bytes]], dropped: Counter[str]) -> None:
        with self._changed:
            self._dropped += dropped
            self._dropped.update(level for level, _ in batch)

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
