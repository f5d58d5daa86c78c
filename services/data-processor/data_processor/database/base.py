"""The connections that requests get from the pool."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from data_processor.database.schema import DatabaseSchemaEditor

_FAIL_FAST_S = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A pooled connection that is known to be alive, or an error within the pool's timeout.

    While Postgres is away only one request a second waits for the pool: the others fail at once, because requests
    that wait hold threads that /health needs.
    """

    SchemaEditorClass = DatabaseSchemaEditor
    _away_until = 0.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection; raises psycopg.OperationalError while Postgres is away."""
        if time.monotonic() < DatabaseWrapper._away_until and not self._idle_connections():
            raise psycopg.OperationalError("Postgres is away")
        try:
            connection = super().get_new_connection(conn_params)
            while self.pool is not None and _hung_up(connection):
                connection.close()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            DatabaseWrapper._away_until = time.monotonic() + _FAIL_FAST_S
            raise
        DatabaseWrapper._away_until = 0.0
        return connection

    def _idle_connections(self) -> int:
        return int(self.pool.get_stats().get("pool_available", 0)) if self.pool is not None else 0


def _hung_up(connection: psycopg.Connection[Any]) -> bool:
    # An idle server has nothing to say: bytes or an end of file on an idle connection mean that it is going away.
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
