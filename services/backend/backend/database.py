"""The way to Postgres: a pool of autocommit connections, prepared statements, bounded waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests
from servicekit.log.outage import Outage

from backend.errors import DatabaseAway, Overloaded, TooMuchAtOnce

log = logging.getLogger(__name__)
# The pool reports every failed attempt; Outage says it once.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

WAIT_S = 3.0
"""Longest wait for a free connection."""
_WAIT_AWAY_S = 0.5
ANSWER_S = 5.0
"""Longest wait for the answer to a statement."""
DELETION_S = 20.0
"""Longest wait for a deletion that takes much with it."""
_WAITING = 1000
_PLANS = "-c plan_cache_mode=force_generic_plan"
"""One plan a statement and connection: planning anew for each set of parameters costs as much as running most do."""

Row = dict[str, Any]
Params = Mapping[str, Any]


class Database:
    """Runs single statements; each is its own transaction. Everything raises DatabaseAway or Overloaded in time."""

    def __init__(self, conninfo: str, size: int) -> None:
        self._outage = Outage(log, "Postgres", level=logging.ERROR)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
            conninfo,
            min_size=min(2, size),
            max_size=size,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "client_encoding": "utf8",
                "options": f"-c timezone=UTC -c statement_timeout={int(ANSWER_S * 1000)} {_PLANS}",
            },
            open=False,
            check=_check,
            max_waiting=_WAITING,
            # Short, so that the pool asks again as soon as somebody needs it: its own pauses grow without limit.
            reconnect_timeout=0.5,
            name="backend",
        )

    async def open(self) -> None:
        """Start connecting; returns at once, whether Postgres is there or not."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=2.0)

    async def all(
        self, statement: LiteralString, params: Params, wait_s: float = WAIT_S, answer_s: float = ANSWER_S
    ) -> list[Row]:
        """Run `statement` and return its rows.

        Waits `wait_s` seconds at most for a connection, then `answer_s` for the answer. Raises TooMuchAtOnce if a
        statement that was given more time than usual takes longer.
        """
        pool = self._pool
        try:
            conn = await pool.getconn(_WAIT_AWAY_S if self._outage.on else wait_s)
        except TooManyRequests as error:
            raise Overloaded from error
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise self._away(error) from error
        deadline = asyncio.get_running_loop().call_later(answer_s, _cut, conn)
        try:
            async with _time_for(conn, answer_s):
                cursor = await conn.execute(statement, params, prepare=True)
                rows = await cursor.fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._away(error) from error
        finally:
            deadline.cancel()
            await pool.putconn(conn)
        self._outage.worked()
        return rows

    async def one(
        self, statement: LiteralString, params: Params, wait_s: float = WAIT_S, answer_s: float = ANSWER_S
    ) -> Row | None:
        """Run `statement` and return its first row, or None."""
        rows = await self.all(statement, params, wait_s, answer_s)
        return rows[0] if rows else None

    def _away(self, error: BaseException) -> DatabaseAway:
        self._outage.failed(error)
        return DatabaseAway()


@contextlib.asynccontextmanager
async def _time_for(conn: psycopg.AsyncConnection[DictRow], answer_s: float) -> AsyncIterator[None]:
    """Let Postgres itself end the block's statement in time, where that is later than usual."""
    if answer_s <= ANSWER_S:
        yield
        return
    try:
        async with conn.transaction():
            # Before the connection is cut, so that it is known why there was no answer.
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(int((answer_s - 1) * 1000))])
            yield
    except psycopg.errors.QueryCanceled as error:
        raise TooMuchAtOnce from error


async def _check(conn: psycopg.AsyncConnection[DictRow]) -> None:
    """Refuse a connection that the server closed while it lay idle. Asks the kernel, not the server: no round trip."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    if poll.poll(0):
        await conn.close()
        raise psycopg.OperationalError("the server closed the connection")


def _cut(conn: psycopg.AsyncConnection[DictRow]) -> None:
    """End a connection whose server does not answer. Asking for cancellation would wait for that same server."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
