"""Room for work that may take long, and never all of it: bodies that trickle in, files that are hard to decode.

Half of a process's threads may be at such work at once. The others answer everything else, /health above all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from data_processor import settings_typed
from data_processor.settings_typed import DataProcessorSettings
from data_processor.web.errors import BusyError

_PATIENCE_S = 0.5
"""Longest wait for room. Short, because who waits holds one of the other threads."""


def threads(settings: DataProcessorSettings) -> int:
    """Return how many threads a process needs: one for each database connection, and as many for the slow lane."""
    return 2 * settings.pool_size


@cache
def _room() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings_typed.current().pool_size)


_making = threading.Lock()


@contextmanager
def slow_lane() -> Iterator[None]:
    """Do the work of the block in the slow lane. Raises BusyError if there is no room."""
    with _making:
        room = _room()
    if not room.acquire(timeout=_PATIENCE_S):
        raise BusyError("too many uploads are under way: try again shortly")
    try:
        yield
    finally:
        room.release()
