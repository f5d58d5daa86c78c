"""Live events: between processes over Redis pub/sub, and to this process's sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

import orjson
import redis.asyncio as aioredis
from redis.exceptions import RedisError
from servicekit import stopping
from servicekit.events import SEPARATOR, Event, decode, encode, stored_form
from servicekit.facts import EVENTS_CHANNEL
from servicekit.log.faults import client_fault
from servicekit.log.outage import Outage

from backend.accounts import Users
from backend.database import QUERY_TIMEOUT_S, Database, Params, Row
from backend.errors import ApiError
from backend.live import frames
from backend.live.hub import Hub
from backend.live.log import EventLog, members_among
from backend.queries import events as events_sql

log = logging.getLogger(__name__)

_QUEUE = 10_000
_BATCH = 256
_BATCH_PAUSE_S = 0.02
"""Pause between batches: a single event is sent at once, a burst as one batch."""
_PUBLISH_TIMEOUT_S = 1.0
_RESUBSCRIBE_S = 0.5
_IDLE_CHECK_S = 5.0
_MAX_DELIVERED_EARLY = 10_000
_LOGGED_BYTES = 60
"""Bytes of unreadable data that the log shows."""

Item = TypeVar("Item")


class EventBus:
    """Publishes this process's events, and delivers the events of all processes to this process's sockets.

    `emit` never waits. All events go through Redis, so that every process sees them in the same order. While Redis is
    away, this process delivers its own events to its own sockets.
    """

    def __init__(
        self, redis: aioredis.Redis, database: Database, hub: Hub, users: Users, log_of_events: EventLog
    ) -> None:
        self._redis = redis
        self._database = database
        self._hub = hub
        self._users = users
        self._log = log_of_events
        self._outage = Outage(log, "Redis (live events reach only this process's sockets)", level=logging.WARNING)
        self._outgoing: asyncio.Queue[tuple[Event, bytes]] = asyncio.Queue(_QUEUE)
        self._incoming: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)
        self._subscribed = False
        self._in_flight: Counter[bytes] = Counter()
        """Events of the batch that is being published, without those that came back already."""
        self._delivered_early: Counter[bytes] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    async def is_connected(self) -> bool:
        """Return whether Redis passes on events at the moment."""
        if not self._subscribed or self._outage.on:
            return False
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[EventBus]:
        """Publish, subscribe and deliver within the context; queued events are published at its end."""
        workers = (self._publish_forever, self._subscribe_forever, self._deliver_forever)
        self._tasks = [asyncio.create_task(work(), name=work.__name__) for work in workers]
        try:
            yield self
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                    await self._outgoing.join()
            await stopping.end(self._tasks)

    def emit(
        self,
        channel_id: int | None,
        frame: Mapping[str, Any],
        user_ids: list[int] | None = None,
        own: tuple[int, dict[str, Any]] | None = None,
        event_id: int | None = None,
    ) -> None:
        """Queue `frame` for `user_ids`, or for all members of `channel_id`. Call it after the commit.

        The sockets of the user `own[0]` get it with `own[1]` added. `event_id` is that of the stored event.

        Raises orjson.JSONEncodeError if the frame cannot be encoded. That is checked here, because one such frame would
        fail its whole batch later.
        """
        self._emit(Event(channel_id, frame, user_ids, own, event_id))

    async def write(
        self,
        statement: LiteralString,
        params: Params,
        tell: Callable[[Row], Sequence[Event]],
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> Row | None:
        """Run a statement and return its first row, or None; store the events that `tell` makes of it with it.

        They are emitted after the commit.
        """
        told: list[Event] = []

        def store(rows: list[Row]) -> tuple[LiteralString, Params] | None:
            told.extend(tell(rows[0]) if rows else ())
            return (events_sql.TELL, {"events": stored_form(told)}) if told else None

        rows, ids = await self._database.fetch_both(statement, params, store, timeout_s)
        for event, stored in zip(told, ids, strict=True):
            self._emit(dataclasses.replace(event, id=stored["id"]))
        return rows[0] if rows else None

    def _emit(self, event: Event) -> None:
        try:
            self._outgoing.put_nowait((event, encode(event)))
        except asyncio.QueueFull:
            # A client fault: clients can cause it by sending more than Redis takes.
            message = "too many live events are waiting: one was dropped"
            client_fault(log, "events_waiting", message, type=event.frame["type"])

    async def _publish_forever(self) -> None:
        while True:
            batch = await _drain(self._outgoing)
            try:
                await self._publish([event for event, _ in batch], [encoded for _, encoded in batch])
            except Exception:
                log.exception("live events could not be published")
            finally:
                for _ in batch:
                    self._outgoing.task_done()
            await asyncio.sleep(_BATCH_PAUSE_S)

    async def _publish(self, events: list[Event], encoded: list[bytes]) -> None:
        if self._outage.expected:
            self._deliver_here(events)
            return
        self._in_flight = Counter(encoded)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await self._redis.publish(EVENTS_CHANNEL, SEPARATOR.join(encoded))
        except (RedisError, OSError, TimeoutError) as error:
            self._outage.failed(error)
        else:
            self._outage.worked()
            if self._subscribed:
                return
        # Redis may have passed the events on before it hung: those that came back are delivered. Or it passes them on
        # later (it hung, or we are about to subscribe): remember them, so that no socket gets them twice.
        left, self._in_flight = self._in_flight, Counter()
        if len(self._delivered_early) < _MAX_DELIVERED_EARLY:
            self._delivered_early += left
        early = []
        for event, data in zip(events, encoded, strict=True):
            if left[data] > 0:
                left[data] -= 1
                early.append(event)
        self._deliver_here(early)

    def _deliver_here(self, events: list[Event]) -> None:
        for event in events:
            self._receive(event)

    def _receive(self, event: Event) -> None:
        try:
            self._incoming.put_nowait(event)
            self._log.arrived(event.id)
        except asyncio.QueueFull:
            message = "too many live events are arriving: one was dropped"
            client_fault(log, "events_arriving", message, type=event.frame.get("type"))

    async def _subscribe_forever(self) -> None:
        while True:
            try:
                await self._subscribe()
            except (RedisError, OSError, TimeoutError) as error:
                self._outage.failed(error)
            except Exception:
                log.exception("the subscription to live events failed")
            self._subscribed = False
            await asyncio.sleep(_RESUBSCRIBE_S)

    async def _subscribe(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(EVENTS_CHANNEL)
            asked = False
            while True:
                message = await pubsub.get_message(timeout=_IDLE_CHECK_S)
                if message is None:
                    # The connection may be dead without an error.
                    if asked:
                        raise TimeoutError("the subscription does not answer")
                    await pubsub.ping()
                    asked = True
                    continue
                asked = False
                if message["type"] == "subscribe":
                    self._subscribed = True
                    self._outage.worked()
                elif message["type"] == "message":
                    for data in message["data"].split(SEPARATOR):
                        self._accept(data)

    def _accept(self, data: bytes) -> None:
        if self._delivered_early and self._delivered_early[data] > 0:
            self._delivered_early[data] -= 1
            self._delivered_early += Counter()
            return
        if self._in_flight[data] > 0:
            self._in_flight[data] -= 1
        try:
            event = decode(data)
        except ValueError:
            if self._hub.users():  # not every process warns of the same
                seen = data[:_LOGGED_BYTES].decode("utf-8", "replace")
                log.warning("unreadable live event from Redis: %s", seen, extra={"fields": {"bytes": len(data)}})
            return
        if self._hub.users():
            self._receive(event)
        else:
            self._log.arrived(event.id)

    async def _deliver_forever(self) -> None:
        while True:
            events = await _drain(self._incoming)
            try:
                await self._deliver(events)
            except ApiError as error:
                self._log.lost(events)
                log.warning(
                    "live events were lost: their channels' members could not be read (%s)",
                    error.detail,
                    extra={"fields": {"events": len(events)}},
                )
            except Exception:
                self._log.lost(events)
                log.exception("live events could not be delivered")
            await asyncio.sleep(_BATCH_PAUSE_S)

    async def _deliver(self, events: list[Event]) -> None:
        here = self._hub.users()
        if not here:
            return
        members = await members_among(self._database, events, here)
        for event in events:
            user_ids = event.user_ids
            if user_ids is None:
                user_ids = members.get(event.channel_id or 0, [])
            if event.frame == frames.SESSIONS_CHANGED:
                await self._users.sessions_changed(user_ids)
            elif user_ids:
                self._deliver_one(event, user_ids)

    def _deliver_one(self, event: Event, user_ids: list[int]) -> None:
        # Sockets that resume get stored events from the log.
        resumes = None if event.id is None else False
        if event.own is not None and event.own[0] in user_ids:
            own_id, added = event.own
            self._hub.deliver([own_id], orjson.dumps({**event.frame, **added}).decode(), resumes=resumes)
            user_ids = [user_id for user_id in user_ids if user_id != own_id]
        self._hub.deliver(user_ids, orjson.dumps(event.frame).decode(), resumes=resumes)


async def _drain(queue: asyncio.Queue[Item]) -> list[Item]:
    """Wait for one item; return it with the others that are queued, up to a batch."""
    items = [await queue.get()]
    while len(items) < _BATCH and not queue.empty():
        items.append(queue.get_nowait())
    return items
