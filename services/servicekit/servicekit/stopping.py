"""Telling server processes that a stop is coming, before the server waits for their open connections to end.

WebSockets and live tails end only when told; the server's own shutdown hook comes after they have.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Any

STOP_COMES = signal.SIGUSR1
"""Sent by the parent to each server process right before it stops the server."""


def announce_stops() -> None:
    """From now on, send `STOP_COMES` to every child before SIGTERM or SIGINT is acted upon. A hook for on_startup."""
    for number in (signal.SIGTERM, signal.SIGINT):
        stop = signal.getsignal(number)

        def announce(caught: int, frame: FrameType | None, stop: Any = stop) -> None:
            for worker in multiprocessing.active_children():
                if worker.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, STOP_COMES)
            stop(caught, frame)

        signal.signal(number, announce)
