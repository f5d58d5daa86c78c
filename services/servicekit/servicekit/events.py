"""Events: a service publishes them after its transaction committed; every backend process sends them to its sockets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

SEPARATOR = b"\n"
"""Separates events in one message, which costs a receiver as much as one event. JSON contains no such byte."""


KEPT_MIN = 60
"""Minutes for which events are kept. The backend prunes the table."""

# The condition comes before the ids are taken: a transaction that has taken an id has a transaction id, so the readers
# of events can wait for it.
TELL = """
    INSERT INTO events (channel_id, user_ids, frame)
    SELECT (told.event->>'channel_id')::bigint,
           CASE WHEN json_typeof(told.event->'user_ids') = 'array'
                THEN ARRAY(SELECT json_array_elements_text(told.event->'user_ids')::bigint) END,
           told.event->'frame'
    FROM json_array_elements(%(events)s::json) WITH ORDINALITY AS told (event, position)
    WHERE pg_current_xact_id() IS NOT NULL
    ORDER BY told.position
    RETURNING id
"""
"""Stores events, in their order, and returns their ids. Run it in the transaction of what they are about."""


@dataclass(frozen=True, slots=True)
class Event:
    """A frame for the sockets of `user_ids`, or, if that is None, of all members of `channel_id`.

    `own` is a user and what the frame has in addition on that user's own sockets. `id` is that of the stored event:
    None for what is only relayed.
    """

    channel_id: int | None
    frame: Mapping[str, Any]
    user_ids: list[int] | None = None
    own: tuple[int, dict[str, Any]] | None = None
    id: int | None = None


def encode(event: Event) -> bytes:
    """Return the event as it is sent over Redis."""
    fields: dict[str, Any] = {"channel_id": event.channel_id, "user_ids": event.user_ids, "frame": event.frame}
    if event.own is not None:
        fields["own"] = event.own
    if event.id is not None:
        fields["id"] = event.id
    return orjson.dumps(fields)


def stored_form(events: Iterable[Event]) -> str:
    """Return the parameter `events` of TELL."""
    fields = [{"channel_id": event.channel_id, "user_ids": event.user_ids, "frame": event.frame} for event in events]
    return orjson.dumps(fields).decode()


def decode(data: bytes) -> Event:
    """Return the event in `data`; raises ValueError if `encode` did not write it."""
    match orjson.loads(data):
        case {
            "channel_id": int() | None as channel_id,
            "user_ids": list() | None as user_ids,
            "frame": dict() as frame,
            **rest,
        }:
            own: Any = rest.get("own")
            event_id: Any = rest.get("id")
            return Event(channel_id, frame, user_ids, None if own is None else (own[0], own[1]), event_id)
        case _:
            raise ValueError("not an event")
