"""Events: a service publishes them after its transaction committed; every backend process sends them to its sockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

SEPARATOR = b"\n"
"""Separates events in one message, which costs a receiver as much as one event. JSON contains no such byte."""


@dataclass(frozen=True, slots=True)
class Event:
    """A frame for the sockets of `user_ids`, or, if that is None, of all members of `channel_id`.

    `own` is a user and what the frame has in addition on that user's own sockets.
    """

    channel_id: int | None
    frame: dict[str, Any]
    user_ids: list[int] | None = None
    own: tuple[int, dict[str, Any]] | None = None


def encode(event: Event) -> bytes:
    """Return the event as it is sent over Redis."""
    fields = {"channel_id": event.channel_id, "user_ids": event.user_ids, "frame": event.frame}
    return orjson.dumps(fields if event.own is None else {**fields, "own": event.own})


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
            return Event(channel_id, frame, user_ids, None if own is None else (own[0], own[1]))
        case _:
            raise ValueError("not an event")
