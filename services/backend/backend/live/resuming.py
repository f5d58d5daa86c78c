"""Sockets that resume: first the events that were committed meanwhile, then the live ones, each once and in order."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from backend.database import Database, Row
from backend.live.hub import Hub, Socket
from backend.live.log import EventLog, Stored
from backend.queries import events as sql

EVENTS_MAX = 1000
"""Events that a socket can catch up on. Beyond that, reading the lists is cheaper."""
_SPAN_MAX = 100_000
"""Ids of all channels that are searched for them."""
_READY_S = 5.0
_SEND_S = 10.0


async def resume(socket: Socket, since: int, log: EventLog, hub: Hub, database: Database) -> None:
    """Send the events after `since`, or say that the lists have to be read again, and add the socket to `hub`.

    Raises ApiError if the database is away, and TimeoutError if the client does not read.
    """
    socket.resumes = True
    async with asyncio.timeout(_READY_S):
        await log.catch_up(since)
    async with asyncio.timeout(_SEND_S):
        position, left = since, EVENTS_MAX
        if not await _is_covered(since, log.position, database):
            position = await _read_again(socket, log.position)
        while position < log.position:
            until = log.position
            rows = await _after(position, until, left, socket.user_id, database)
            if len(rows) > left:
                position = await _read_again(socket, log.position)
                continue
            left -= len(rows)
            for text in _texts(rows, socket.user_id):
                await socket.reply(text)
            position = until
    async with log.still:
        # The log stands still, so nothing comes between what is read here and what it delivers next.
        assert log.position is not None  # noqa: S101  it is never unset
        if position < log.position:
            for text in _texts(
                await _after(position, log.position, EVENTS_MAX, socket.user_id, database), socket.user_id
            ):
                socket.send(text)
        hub.add(socket)


async def _is_covered(since: int, position: int, database: Database) -> bool:
    """Return whether the log still has every event after `since`, and not too many to search.

    Clients begin with 0: they have read no list yet.
    """
    if since == 0 or not position - _SPAN_MAX <= since <= position:
        return False
    row = await database.fetch_one(sql.FIRST, {})
    return row is not None and 0 < row["first"] <= since + 1


async def _after(after: int, until: int, most: int, user_id: int, database: Database) -> list[Row]:
    params = {"after": after, "until": until, "user_id": user_id, "limit": most + 1}
    return await database.fetch_all(sql.SINCE, params)


def _texts(rows: list[Row], user_id: int) -> list[str]:
    return [text for row in rows if (text := Stored(row).text_for(user_id)) is not None]


async def _read_again(socket: Socket, position: int) -> int:
    frame: dict[str, Any] = {"type": "read_again", "event_id": position}
    await socket.reply(orjson.dumps(frame).decode())
    return position
