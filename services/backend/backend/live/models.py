"""The frames of the WebSocket as types, with examples. docs/generated/asyncapi.json describes them from here.

Those of a document or a job are the data-processor's: the backend passes them on as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AwareDatetime, ConfigDict, Field, with_config
from servicekit.codes import Code
from typing_extensions import TypedDict

_USER = {"user_id": 7, "username": "ada", "display_name": "Ada"}
_CHANNEL = {"channel_id": 3, "channel_name": "#invoices"}


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Stored(TypedDict):
    """What frames of stored events have in common."""

    event_id: NotRequired[Annotated[int, Field(description="Only on a socket that resumes: what to resume after.")]]


@with_config(_example(
    type="message", id=41, content="The invoice is here.", image_url=None, sender_id=7, username="ada",
    display_name="Ada", channel_id=3, timestamp="2026-03-01T09:30:00.000000Z", target_user_id=None,
))  # fmt: skip
class Message(Stored):
    """A message was posted. With `target_user_id`, it is the personal welcome to a channel, without a sender."""

    type: Literal["message"]
    id: int
    content: str
    image_url: str | None
    sender_id: int | None
    username: str | None
    display_name: str | None
    channel_id: int
    timestamp: AwareDatetime
    target_user_id: int | None
    idempotency_key: NotRequired[
        Annotated[str, Field(description="Only on the sender's own sockets: the key of the request that posted it.")]
    ]


class _Membership(Stored):
    user_id: int
    username: str
    display_name: str
    channel_id: int
    channel_name: str


@with_config(_example(type="join", **_USER, **_CHANNEL))
class Join(_Membership):
    """A user joined a channel, or was added to it."""

    type: Literal["join"]


@with_config(_example(type="leave", **_USER, **_CHANNEL))
class Leave(_Membership):
    """A user left a channel, was removed from it, or deleted the account."""

    type: Literal["leave"]


@with_config(_example(type="channel_renamed", **_CHANNEL, renamed_by=7))
class ChannelRenamed(Stored):
    """A channel of the user has a new name."""

    type: Literal["channel_renamed"]
    channel_id: int
    channel_name: str
    renamed_by: int


@with_config(_example(type="channel_deleted", **_CHANNEL, deleted_by=7))
class ChannelDeleted(Stored):
    """A channel that the user was a member of was deleted."""

    type: Literal["channel_deleted"]
    channel_id: int
    channel_name: str
    deleted_by: int


@with_config(_example(type="read_again", event_id=5120))
class ReadAgain(TypedDict):
    """The socket missed too much to resume: read the lists again. What follows comes after this event."""

    type: Literal["read_again"]
    event_id: int


class PingPayload(TypedDict):
    """What a ping carries, and its pong returns."""

    sent_at_ms: float


@with_config(_example(type="pong", timestamp="2026-03-01T09:30:00.000000Z", payload={"sent_at_ms": 1772357400000}))
class Pong(TypedDict):
    """The answer to a ping, to its sender alone."""

    type: Literal["pong"]
    timestamp: AwareDatetime
    payload: PingPayload


@with_config(_example(type="error", code=Code.NOT_A_MEMBER, detail="you are not a member of channel 3"))
class Error(TypedDict):
    """A frame was invalid. The socket stays open."""

    type: Literal["error"]
    code: Code
    detail: str


@with_config(_example(type="ping", payload={"sent_at_ms": 1772357400000}))
class Ping(TypedDict):
    """Is answered with a pong."""

    type: Literal["ping"]
    payload: PingPayload


@with_config(_example(type="typing", channel_id=3, user_id=7))
class Typing(TypedDict):
    """Is relayed to all members of the channel, with `user_id` set to the sender's. More fields are relayed as well."""

    type: Literal["typing"]
    channel_id: int
    user_id: NotRequired[int]


@with_config(_example(type="message", channel_id=3, content="Who has the invoice?"))
class RelayedMessage(TypedDict):
    """Is relayed to all members of the channel, and not stored: to store a message, post it.

    More fields are relayed as well. Those that name a sender are set to the true one, where the frame has them.
    """

    type: Literal["message"]
    channel_id: int
    sender_id: NotRequired[int]
    user_id: NotRequired[int]
    username: NotRequired[str]
    display_name: NotRequired[str]


SENT = (Message, Join, Leave, ChannelRenamed, ChannelDeleted, Typing, RelayedMessage, Pong, Error, ReadAgain)
"""What the server sends of its own, and relays."""
RECEIVED = (RelayedMessage, Typing, Ping)
"""What clients may send."""
