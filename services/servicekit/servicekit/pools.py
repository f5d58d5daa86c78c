"""Checks of pooled database connections."""

from __future__ import annotations

import select
from typing import Any

import psycopg


def hung_up(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Return whether the server closed an idle connection. Asks the kernel only: no round trip.

    A server sends nothing on an idle connection, so bytes or an end of file mean that it is shutting down.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
