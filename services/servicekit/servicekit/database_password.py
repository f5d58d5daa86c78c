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
            refused: psycopg.OperationalError | None = None
            for password in secret.untried():
                try:
                    return super().connect(conninfo, **{**kwargs, "password": password})
                except psycopg.OperationalError as error:
                    refused = _refused(error)
            assert refused is not None  # noqa: S101  one password is always accepted
            raise refused

    return Connection


def async_connection_class(password_file: Path) -> type[psycopg.AsyncConnection[Any]]:
    """Return the same for an asynchronous pool."""
    secret = RotatingSecret(password_file)

    class AsyncConnection(psycopg.AsyncConnection[Any]):
        @classmethod
        async def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            refused: psycopg.OperationalError | None = None
            for password in secret.untried():
                try:
                    return await super().connect(conninfo, **{**kwargs, "password": password})
                except psycopg.OperationalError as error:
                    refused = _refused(error)
            assert refused is not None  # noqa: S101  one password is always accepted
            raise refused

    return AsyncConnection


def _refused(error: psycopg.OperationalError) -> psycopg.OperationalError:
    """Return the error if it says that the password is wrong; else raise it."""
    if _REFUSED in str(error):
        return error
    raise error
