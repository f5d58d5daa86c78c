"""Detects that every thread is stuck in a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STUCK_S = 30.0
"""How long all threads may be busy without one request ending. Half of the threads serve quick requests only."""


class Turns:
    """Counts the requests under way, and remembers when one last ended."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._under_way = 0
        self._moved_at = time.monotonic()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count the request of the block."""
        with self._lock:
            self._under_way += 1
            if self._under_way == self._threads:
                self._moved_at = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._moved_at = time.monotonic()

    def taken(self) -> bool:
        """Say whether a thread is free, or was a moment ago."""
        with self._lock:
            return self._under_way < self._threads or time.monotonic() - self._moved_at < STUCK_S
