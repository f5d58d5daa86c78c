"""Postgres access: a pool of autocommit connections, prepared statements, and timeouts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests
from servicekit import planner
from servicekit.log.outage import Outage
from servicekit.pools import hung_up

from backend.errors import DatabaseAway, Overloaded, TooMuchAtOnce

log = logging.getLogger(__name__)
# The pool logs every failed attempt; Outage logs an outage once.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

POOL_TIMEOUT_S = 3.0
"""Timeout for a free connection."""
_POOL_TIMEOUT_AWAY_S = 0.5
QUERY_TIMEOUT_S = 5.0
"""Timeout for a statement."""
DELETION_TIMEOUT_S = 20.0
"""Timeout for a deletion that cascades to many rows."""
_MAX_WAITING = 1000
_DRAINED_FOR_S = 1.0
"""How long the pool is not drained again: other requests may still hold connections of before."""
PLANS = f"{planner.OPTIONS} -c plan_cache_mode=force_generic_plan"
"""One plan per statement and connection: planning for each set of parameters costs as much as most statements."""

Row = dict[str, Any]
Params = Mapping[str, Any]
Result = TypeVar("Result")
_Connection = psycopg.AsyncConnection[DictRow]


class Database:
    """Runs statements, each in its own transaction unless a method says otherwise.

    Methods raise DatabaseAway or Overloaded within their timeouts.
    """

    def __init__(
        self, conninfo: str, size: int, connection_class: type[psycopg.AsyncConnection[Any]] = psycopg.AsyncConnection
    ) -> None:
        self._outage = Outage(log, "Postgres", level=logging.ERROR)
        self._drained_at = -_DRAINED_FOR_S
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
            conninfo,
            connection_class=connection_class,
            min_size=min(2, size),
            max_size=size,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "client_encoding": "utf8",
                "options": f"-c timezone=UTC -c statement_timeout={int(QUERY_TIMEOUT_S * 1000)} {PLANS}",
            },
            open=False,
            check=self._check,
            max_waiting=_MAX_WAITING,
            # Short, so that the next request triggers a new attempt: the pool's own backoff grows without limit.
            reconnect_timeout=0.5,
            name="backend",
        )

    async def open(self) -> None:
        """Start connecting in the background, whether Postgres is reachable or not."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=2.0)

    async def fetch_all(
        self,
        statement: LiteralString,
        params: Params,
        wait_s: float = POOL_TIMEOUT_S,
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> list[Row]:
        """Run `statement` and return its rows.

        Waits at most `wait_s` seconds for a connection, then `timeout_s` for the result. Raises TooMuchAtOnce if
        `timeout_s` is above the default and is exceeded.
        """
        return await self._run(lambda conn: _fetch(conn, statement, params), wait_s, timeout_s)

    async def fetch_both(
        self,
        statement: LiteralString,
        params: Params,
        then: Callable[[list[Row]], tuple[LiteralString, Params] | None],
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> tuple[list[Row], list[Row]]:
        """Run `statement`, and in the same transaction what `then` makes of its rows; return the rows of both."""

        async def both(conn: _Connection) -> tuple[list[Row], list[Row]]:
            async with conn.transaction():
                first = await _fetch(conn, statement, params)
                second = then(first)
                return first, [] if second is None else await _fetch(conn, *second)

        return await self._run(both, POOL_TIMEOUT_S, timeout_s)

    async def _run(self, work: Callable[[_Connection], Awaitable[Result]], wait_s: float, timeout_s: float) -> Result:
        pool = self._pool
        try:
            conn = await pool.getconn(_POOL_TIMEOUT_AWAY_S if self._outage.on else wait_s)
        except TooManyRequests as error:
            raise Overloaded from error
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise self._unavailable(error) from error
        deadline = asyncio.get_running_loop().call_later(timeout_s, _shut_down, conn)
        try:
            if timeout_s > QUERY_TIMEOUT_S:
                async with _longer_timeout(conn, timeout_s):
                    result = await work(conn)
            else:
                result = await work(conn)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._unavailable(error) from error
        finally:
            deadline.cancel()
            await pool.putconn(conn)
        self._outage.worked()
        return result

    async def fetch_one(
        self,
        statement: LiteralString,
        params: Params,
        wait_s: float = POOL_TIMEOUT_S,
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> Row | None:
        """Run `statement` and return its first row, or None."""
        rows = await self.fetch_all(statement, params, wait_s, timeout_s)
        return rows[0] if rows else None

    async def _check(self, conn: psycopg.AsyncConnection[DictRow]) -> None:
        """Refuse a connection that the server closed while it was idle, and replace the other idle ones.

        After a restart of Postgres all are closed. The pool alone would find one after the other, and pauses for a
        second after the second.
        """
        if not hung_up(conn):
            return
        await conn.close()
        now = time.monotonic()
        if now - self._drained_at > _DRAINED_FOR_S:
            self._drained_at = now
            await self._pool.drain()
        raise psycopg.OperationalError("the server closed the connection")

    def _unavailable(self, error: BaseException) -> DatabaseAway:
        self._outage.failed(error)
        return DatabaseAway()


async def _fetch(conn: _Connection, statement: LiteralString, params: Params) -> list[Row]:
    cursor = await conn.execute(statement, params, prepare=True)
    return await cursor.fetchall()


@contextlib.asynccontextmanager
async def _longer_timeout(conn: psycopg.AsyncConnection[DictRow], timeout_s: float) -> AsyncIterator[None]:
    """Raise Postgres's own timeout for the block's statement."""
    try:
        async with conn.transaction():
            # One second earlier than we close the connection, so that the reason is known.
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(int((timeout_s - 1) * 1000))])
            yield
    except psycopg.errors.QueryCanceled as error:
        raise TooMuchAtOnce from error


def _shut_down(conn: psycopg.AsyncConnection[DictRow]) -> None:
    """Shut down a connection whose server does not answer. A cancel request would wait for the same server."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
