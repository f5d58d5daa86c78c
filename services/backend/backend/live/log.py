"""The log of events: the rows of `events`, read in the order of their ids by every server process.

Sockets that resume get their events from here. For the others, who get them over Redis, the log shows which of them
never came: their sockets are closed, so that their clients read the lists again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson
import psycopg
from servicekit.events import Event

from backend.database import Database, Row
from backend.errors import ApiError
from backend.live import frames
from backend.live.hub import Hub
from backend.queries import channels as channels_sql
from backend.queries import events as sql

log = logging.getLogger(__name__)

BATCH = 500
_EVERY_S = 1.0
_PAUSE_S = 0.02
_HOLE_S = 0.1
"""How long a missing id may take to appear before we ask whether it will."""
_CATCH_UP_S = 2.0
_LATE_S = 4.0
"""How long an event may take to come over Redis."""
_ARRIVED_MAX = 50_000
_FEW_PAIRS = 200
"""Pairs of a channel and a user, up to which looking for each costs less than reading all members of a channel."""


async def members_among(database: Database, events: Sequence[Stored | Event], here: list[int]) -> dict[int, list[int]]:
    """Return the members of the events' channels who are among `here`, by channel.

    Read for each batch and never cached: users who joined before the event must get it.
    """
    channel_ids = list({event.channel_id for event in events if event.user_ids is None and event.channel_id})
    members: dict[int, list[int]] = defaultdict(list)
    if channel_ids and here:
        few = len(channel_ids) * len(here) <= _FEW_PAIRS
        statement = channels_sql.MEMBERS_AMONG_FEW if few else channels_sql.MEMBERS_AMONG
        for row in await database.fetch_all(statement, {"channel_ids": channel_ids, "user_ids": here}):
            members[row["channel_id"]].append(row["user_id"])
    return members


class Stored:
    """An event of the log. Its frame is None where only its receivers were read, or where its message is deleted."""

    __slots__ = ("_row", "channel_id", "id", "user_ids")

    def __init__(self, row: Row) -> None:
        self._row = row
        self.id: int = row["id"]
        self.channel_id: int | None = row["channel_id"]
        self.user_ids: list[int] | None = row["user_ids"]

    def text_for(self, user_id: int) -> str | None:
        """Return the frame, with its id, as `user_id` gets it; None if there is nothing to show."""
        row = self._row
        if row["frame"] is not None:
            frame: dict[str, Any] = orjson.loads(row["frame"])
        elif row["message_id"] is not None:
            frame = frames.stored_message(row)
            if row["key"] is not None and row["sender_id"] == user_id:
                frame["idempotency_key"] = row["key"]
        else:
            return None
        return orjson.dumps({**frame, "event_id": self.id}).decode()

    @property
    def is_alike(self) -> bool:
        """Whether every receiver gets the same frame."""
        return self._row["key"] is None


class EventLog:
    """This process's reader of the log."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self.position = 0
        """Every event up to this id has been delivered."""
        self.ready = asyncio.Event()
        """Set once `position` is known."""
        self.still = asyncio.Lock()
        """Held while `position` moves."""
        self._woken = asyncio.Event()
        self._hole_since: float | None = None
        self._barrier: tuple[int, int] | None = None
        self._arrived: set[int] = set()
        self._missing: dict[int, tuple[Stored | Event, float]] = {}
        self._stale: dict[int, float] = {}

    def arrived(self, event_id: int | None) -> None:
        """Note that an event has come over Redis."""
        if event_id is None:
            return
        if self._missing.pop(event_id, None) is None and event_id > self.position:
            if len(self._arrived) >= _ARRIVED_MAX:
                # The log cannot be read for long. Sockets are closed rather than left with a gap.
                self._arrived.clear()
            self._arrived.add(event_id)
        if self._hub.resuming:
            self._woken.set()

    def lost(self, events: Iterable[Event]) -> None:
        """Note that events came and could not be delivered."""
        now = time.monotonic()
        for event in events:
            if event.id is not None:
                self._arrived.discard(event.id)
                self._missing[event.id] = (event, now)

    async def run(self, is_connected: Callable[[], Awaitable[bool]]) -> None:
        """Follow the log until cancelled. `is_connected` says whether events come over Redis."""
        while True:
            more = False
            try:
                if not self.ready.is_set():
                    await self._begin()
                else:
                    async with self.still:
                        more = await self._step()
                await self._close_stale(is_connected)
            except (ApiError, psycopg.Error) as error:
                log.info("the log of events is read later: %s", error)
            except Exception:
                log.exception("the log of events could not be read")
            if not more:
                await self._rest()

    async def catch_up(self, since: int) -> None:
        """Read up to now, or up to an event after `since` that is still being committed.

        Raises ApiError if the database is away.
        """
        await self.ready.wait()
        began = time.monotonic()
        while True:
            async with self.still:
                more = await self._step()
            if not more:
                # Another process has read up to `since`, so this one soon can.
                patience_s = 3 * _HOLE_S if self.position >= since else _CATCH_UP_S
                if self._hole_since is None or time.monotonic() - began > patience_s:
                    return
                await asyncio.sleep(_PAUSE_S)

    async def _rest(self) -> None:
        if self._hub.resuming and self._hole_since is not None:
            await asyncio.sleep(_PAUSE_S)
            return
        try:
            async with asyncio.timeout(_EVERY_S):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()
        await asyncio.sleep(_PAUSE_S)

    async def _begin(self) -> None:
        """Find a position below which no event can appear any more."""
        found = await self._database.fetch_one(sql.LAST, {})
        assert found is not None  # noqa: S101  an aggregate
        while True:
            oldest = await self._database.fetch_one(sql.OLDEST, {})
            if oldest is not None and oldest["oldest"] > found["barrier"]:
                break
            await asyncio.sleep(_PAUSE_S)
        self.position = found["last"]
        self.ready.set()
        # Sockets that were opened before may have missed what nothing compares.
        now = time.monotonic()
        self._stale.update(dict.fromkeys(self._hub.users(), now))

    async def _step(self) -> bool:
        """Read and deliver the next events. Return whether there may be more at once."""
        self._woken.clear()
        here = self._hub.resuming_users() if self._hub.resuming else []
        rows = await self._database.fetch_all(
            sql.WHOLE if here else sql.BRIEF, {"after": self.position, "limit": BATCH}
        )
        ready = await self._until_hole(rows)
        events = [Stored(row) for row in ready]
        members = await members_among(self._database, events, here)
        now = time.monotonic()
        for event in events:
            if event.id in self._arrived:
                self._arrived.remove(event.id)
            else:
                self._missing[event.id] = (event, now)
            if here:
                self._deliver(event, members)
            self.position = event.id
        return len(ready) == BATCH

    def _deliver(self, event: Stored, members: dict[int, list[int]]) -> None:
        user_ids = event.user_ids if event.user_ids is not None else members.get(event.channel_id or 0, [])
        if event.is_alike:
            if user_ids and (text := event.text_for(0)) is not None:
                self._hub.deliver(user_ids, text, resumes=True)
            return
        for user_id in user_ids:
            if (text := event.text_for(user_id)) is not None:
                self._hub.deliver([user_id], text, resumes=True)

    async def _until_hole(self, rows: list[Row]) -> list[Row]:
        """Return the rows before the first id that is missing and may still appear.

        Ids are taken before the commit, so a transaction may commit an id that is below others that were read. A
        missing id is waited for, until every transaction is finished that may have taken it.
        """
        expected = self.position + 1
        for index, row in enumerate(rows):
            if row["id"] != expected and not await self._is_abandoned(expected, row):
                return rows[:index]
            expected = row["id"] + 1
        self._hole_since = self._barrier = None
        return rows

    async def _is_abandoned(self, expected: int, row: Row) -> bool:
        """Return whether no transaction will commit an id from `expected` up to that of `row`."""
        now = time.monotonic()
        if self._barrier is not None and self._barrier[0] >= row["id"]:
            return bool(row["oldest"] > self._barrier[1])
        if self._hole_since is None:
            self._hole_since = now
        elif now - self._hole_since >= _HOLE_S:
            # Every transaction that took an id below this row's is older than the barrier.
            found = await self._database.fetch_one(sql.BARRIER, {})
            assert found is not None  # noqa: S101  a plain SELECT
            self._barrier = (row["id"], found["barrier"])
        return False

    async def _close_stale(self, is_connected: Callable[[], Awaitable[bool]]) -> None:
        """Close the sockets that missed an event, once Redis passes on events again."""
        now = time.monotonic()
        late = {event_id: found for event_id, found in self._missing.items() if now - found[1] > _LATE_S}
        if late:
            here = self._hub.users()
            members = await members_among(self._database, [event for event, _ in late.values()], here)
            for event, at in late.values():
                user_ids = event.user_ids if event.user_ids is not None else members.get(event.channel_id or 0, [])
                for user_id in user_ids:
                    self._stale[user_id] = max(at, self._stale.get(user_id, at))
            for event_id in late:
                self._missing.pop(event_id, None)
        if self._stale and await is_connected():
            closed = self._hub.close_stale(self._stale)
            self._stale.clear()
            if closed:
                log.info("closed sockets that may have missed events", extra={"fields": {"sockets": closed}})
