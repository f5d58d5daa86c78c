"""The pooled connections of requests."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from servicekit.log.outage import Outage
from servicekit.pools import hung_up

from data_processor.database.schema import DatabaseSchemaEditor

outage = Outage(logging.getLogger(__name__), "Postgres", level=logging.ERROR)
"""Whether this process can reach Postgres."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Returns a pooled connection that is alive, or an error within the pool's timeout.

    While Postgres is away only one request a second waits for it: the others fail at once, because requests that wait
    hold threads that /health needs.
    """

    SchemaEditorClass = DatabaseSchemaEditor

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection; raises psycopg.OperationalError while Postgres is away."""
        if outage.expected:
            raise psycopg.OperationalError("Postgres was away a moment ago")
        try:
            connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            while self.pool is not None and hung_up(connection):
                connection.close()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError as error:
            outage.failed(error)
            raise
        return connection
