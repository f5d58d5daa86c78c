"""WebSocket frames: building those of the server, parsing those of clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from servicekit.codes import Code
from servicekit.events import Event

from backend.database import Row
from backend.live import models
from backend.schemas import MAX_ID

Frame = dict[str, Any]


SESSIONS_CHANGED: Frame = {"type": "sessions_changed"}
"""Internal event: sessions of the users it names may have ended; every process closes their sockets."""


class BadFrameError(Exception):
    """An invalid frame; `code` is for programs, the message for people."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def is_oversized(data: str | bytes, max_bytes: int) -> bool:
    """Return whether a message has more than `max_bytes`."""
    return len(data) > max_bytes or (isinstance(data, str) and len(data.encode()) > max_bytes)


def parse(text: str) -> Frame:
    """Return the frame in `text`, a JSON object with a string `type`. Raises BadFrameError."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFrameError(Code.INVALID_JSON, f"not valid JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrameError(Code.INVALID_FRAME, 'a frame is a JSON object with a text "type"')
    return frame


def channel_of(frame: Frame) -> int:
    """Return the `channel_id` of a client's frame. Raises BadFrameError."""
    channel_id = frame.get("channel_id")
    if type(channel_id) is not int or not 0 < channel_id <= MAX_ID:
        raise BadFrameError(Code.INVALID_FRAME, '"channel_id" must be the number of a channel')
    return channel_id


def relayed(frame: Frame, user_id: int, sender: Row) -> Frame:
    """Return a client's frame with its true sender: the fields that name one are replaced, and none is added."""
    true = {"sender_id": user_id, "user_id": user_id, **sender}
    return frame | {name: value for name, value in true.items() if name in frame}


def pong(ping: Frame) -> Frame:
    """Return the answer to a client's ping. Raises BadFrameError."""
    payload = ping.get("payload")
    sent_at = payload.get("sent_at_ms") if isinstance(payload, dict) else None
    if type(sent_at) not in (int, float):
        raise BadFrameError(Code.INVALID_FRAME, 'a ping carries {"payload": {"sent_at_ms": number}}')
    return {"type": "pong", "timestamp": datetime.now(UTC), "payload": {"sent_at_ms": sent_at}}


def error(code: Code, detail: str) -> Frame:
    """Return an error frame."""
    return {"type": "error", "code": code, "detail": detail}


def own_key(user_id: int, key: str | None) -> tuple[int, Frame] | None:
    """Return what the sender's own sockets see in a message's frame: the key of the request that posted it."""
    return None if key is None else (user_id, {"idempotency_key": key})


def message(row: Row) -> Frame:
    """Return the frame that announces a stored message."""
    return {"type": "message", **row}


_MESSAGE = (
    "content", "image_url", "sender_id", "username", "display_name", "channel_id", "timestamp", "target_user_id",
)  # fmt: skip


def stored_message(row: Row) -> Frame:
    """Return the frame of a message from its row in the log, where `id` is that of the event."""
    frame = {"type": "message", "id": row["message_id"], **{name: row[name] for name in _MESSAGE}}
    show_sender(frame)
    return frame


def show_sender(message: Row) -> None:
    """Give a message whose sender was deleted a placeholder. No user can have that user name."""
    if message["sender_id"] is None and message["target_user_id"] is None:
        message |= {"username": "(deleted)", "display_name": "Deleted user"}


def welcome(row: Row, user_id: int) -> Frame:
    """Return the welcome message to `user_id` from `row`, a channel with its `welcome_*` columns."""
    return {
        "type": "message",
        "id": row["welcome_id"],
        "content": row["welcome_content"],
        "image_url": None,
        "sender_id": None,
        "username": None,
        "display_name": None,
        "channel_id": row["id"],
        "timestamp": row["welcome_at"],
        "target_user_id": user_id,
    }


def channel_renamed(channel_id: int, channel_name: str, renamed_by: int) -> Event:
    """Return what tells members the new name of their channel."""
    frame: models.ChannelRenamed = {
        "type": "channel_renamed", "channel_id": channel_id, "channel_name": channel_name, "renamed_by": renamed_by,
    }  # fmt: skip
    return Event(channel_id, frame)


def channel_deleted(channel_id: int, channel_name: str, deleted_by: int, member_ids: list[int]) -> Event:
    """Return what tells members that their channel was deleted."""
    frame: models.ChannelDeleted = {
        "type": "channel_deleted", "channel_id": channel_id, "channel_name": channel_name, "deleted_by": deleted_by,
    }  # fmt: skip
    return Event(None, frame, member_ids)


def membership(kind: str, *, channel_id: int, channel_name: str, user: Row) -> Event:
    """Return what tells the members of a channel that a user has joined (`join`) or left (`leave`)."""
    frame = {
        "type": kind,
        "user_id": user["user_id"],
        "username": user["username"],
        "display_name": user["display_name"],
        "channel_id": channel_id,
        "channel_name": channel_name,
    }
    return Event(channel_id, frame)


def account_deleted(gone: Row) -> list[Event]:
    """Return what tells the members of each channel of a deleted user that the user has left."""
    return [
        membership("leave", channel_id=channel_id, channel_name=name, user=gone)
        for channel_id, name in gone["channels"]
    ]
