"""Ends statements that a stalled Postgres does not answer, because psycopg waits without limit."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import psycopg

_EVERY_S = 0.25


class Watchdog:
    """Running statements with their deadlines, and one thread that checks them."""

    def __init__(self) -> None:
        self._running: dict[psycopg.Connection[Any], float] = {}
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    @contextlib.contextmanager
    def limit(self, connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
        """Close the connection if the block takes longer than `seconds`: its statement then raises OperationalError."""
        self._running[connection] = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._running[connection]

    def _run(self) -> None:
        while True:
            time.sleep(_EVERY_S)
            now = time.monotonic()
            for connection, until in list(self._running.items()):
                if now > until:
                    _hang_up(connection)


def _hang_up(connection: psycopg.Connection[Any]) -> None:
    # A cancel request would wait for the same stalled server. After a shutdown the waiting thread reads an end of file.
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


@cache
def _start() -> Watchdog:
    return Watchdog()


_starting = threading.Lock()


def watchdog() -> Watchdog:
    """Return this process's watchdog."""
    with _starting:
        return _start()
