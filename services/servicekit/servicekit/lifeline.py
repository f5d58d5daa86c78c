"""Makes a server's main process and its workers watch each other: all end together, and one that hangs is killed.

A worker ends immediately when its parent ends, for any reason. Each second a worker sends its parent a heartbeat, which
it can do only while it serves. A worker that misses ten beats is killed, and the server starts another. A parent that
reads no beats for half a minute is killed by a worker, and its supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from servicekit.own_folder import own_folder

log = logging.getLogger(__name__)

EVERY_S = 1.0
MISSED_MAX = 10
"""Beats that a worker may miss before it is killed."""
STARTING_MAX = 120
"""The same for a worker that has not sent any yet: on a busy machine it may still be importing."""
UNHEARD_MAX = 30
"""Beats that a parent may leave unread before it is killed."""
_LATE_S = 2 * EVERY_S
"""A process that is this late was itself stopped, or short of CPU, so it does not report others as hung."""
_SOCKET_VARIABLE = "PLUMBLINE_BEAT_SOCKET"
_PR_SET_PDEATHSIG = 1


# In the parent


@contextmanager
def watched_workers() -> Iterator[Callable[[], None]]:
    """Yield a hook for the server's on_startup: from then on its workers are watched."""
    with own_folder("beat") as folder:
        path = folder / "beats"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(path))
            receiver.setblocking(False)
            os.environ[_SOCKET_VARIABLE] = str(path)
            ended = threading.Event()
            watching = threading.Thread(target=_watch, args=(receiver, ended), name="lifeline", daemon=True)
            try:
                yield watching.start
            finally:
                ended.set()
                if watching.is_alive():
                    watching.join()


def _watch(receiver: socket.socket, ended: threading.Event) -> None:
    watch = Watch()
    while not ended.wait(EVERY_S):
        workers = {worker.pid for worker in multiprocessing.active_children() if worker.pid is not None}
        for pid in watch.check(workers, set(_beats(receiver)), time.monotonic()):
            log.error("killed a server process that hung", extra={"fields": {"pid": pid, "missed_beats": MISSED_MAX}})
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _beats(receiver: socket.socket) -> Iterator[int]:
    with suppress(BlockingIOError, ValueError):
        while True:
            yield int(receiver.recv(32))


class Watch:
    """Counts the consecutive beats that each worker missed."""

    def __init__(self) -> None:
        self._missed: dict[int, int] = {}
        self._heard: set[int] = set()
        self._checked_at = float("-inf")

    def check(self, workers: set[int], beats: set[int], now: float) -> list[int]:
        """Return the `workers` that hang. `beats` holds those that have sent a beat since the last check."""
        late = now - self._checked_at > EVERY_S + _LATE_S
        self._checked_at = now
        self._heard = (self._heard | beats) & workers
        self._missed = {pid: 0 if late or pid in beats else self._missed.get(pid, 0) + 1 for pid in workers}
        return [
            pid
            for pid, missed in self._missed.items()
            if missed >= (MISSED_MAX if pid in self._heard else STARTING_MAX)
        ]


# In a worker


def end_with_parent() -> None:
    """Make this server process end when its parent does. Call it first, from the main thread."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return
    if sys.platform == "linux":
        # The kernel kills it, so this works for a stopped process, too.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_end_after, args=(parent.sentinel,), name="parent", daemon=True).start()
    if os.getppid() != parent.pid:  # it ended before that
        os.kill(os.getpid(), signal.SIGKILL)


def _end_after(sentinel: int) -> None:
    from multiprocessing.connection import wait

    wait([sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


class Beat:
    """Sends beats to the parent, and detects a parent that reads none."""

    def __init__(self) -> None:
        self._path = os.environ.get(_SOCKET_VARIABLE)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # A small buffer, so that a parent that hangs is detected after few beats.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self._unheard = 0
        self._sent_at = float("-inf")

    def send(self) -> None:
        """Send one beat without blocking. Does nothing in a process whose parent does not watch."""
        if self._path is None:
            return
        now = time.monotonic()
        late = now - self._sent_at > EVERY_S + _LATE_S
        self._sent_at = now
        try:
            self._socket.sendto(str(os.getpid()).encode(), self._path)
            self._unheard = 0
        except BlockingIOError:
            self._unheard = 0 if late else self._unheard + 1
        except OSError:  # the parent is ending, and its socket has gone
            self._unheard = 0
        if self._unheard >= UNHEARD_MAX:
            log.error("killed the main process, which hung", extra={"fields": {"pid": os.getppid()}})
            os.kill(os.getppid(), signal.SIGKILL)

    def close(self) -> None:
        """Send no more."""
        self._socket.close()


async def beat_from_loop() -> None:
    """Send beats from this event loop until cancelled."""
    beat = Beat()
    try:
        while True:
            beat.send()
            await asyncio.sleep(EVERY_S)
    finally:
        beat.close()


def beat_from_thread(serves: Callable[[], bool]) -> None:
    """Start a thread that sends a beat each second while `serves` returns true."""

    def run() -> None:
        beat = Beat()
        while True:
            if serves():
                beat.send()
            time.sleep(EVERY_S)

    threading.Thread(target=run, name="beat", daemon=True).start()
