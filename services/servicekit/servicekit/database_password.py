"""Database connections that know the password of the role while it is being replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from servicekit.rotating import RotatingSecret

_REFUSED = "password authentication failed"


def connection_class(password_file: Path) -> type[psycopg.Connection[Any]]:
    """Return a connection class for a pool, which reads the password again for each new connection."""
    secret = RotatingSecret(password_file)

    class Connection(psycopg.Connection[Any]):
        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            *others, last = (value.text for value in secret.accepted())
            for password in others:
                try:
                    return super().connect(conninfo, **{**kwargs, "password": password})
                except psycopg.OperationalError as error:
                    if _REFUSED not in str(error):
                        raise
            return super().connect(conninfo, **{**kwargs, "password": last})

    return Connection


def async_connection_class(password_file: Path) -> type[psycopg.AsyncConnection[Any]]:
    """Return the same for an asynchronous pool."""
    secret = RotatingSecret(password_file)

    class AsyncConnection(psycopg.AsyncConnection[Any]):
        @classmethod
        async def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            *others, last = (value.text for value in secret.accepted())
            for password in others:
                try:
                    return await super().connect(conninfo, **{**kwargs, "password": password})
                except psycopg.OperationalError as error:
                    if _REFUSED not in str(error):
                        raise
            return await super().connect(conninfo, **{**kwargs, "password": last})

    return AsyncConnection
