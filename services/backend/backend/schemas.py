"""Schemas of requests and responses. Responses are written from rows directly; their models are for OpenAPI only."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from servicekit import texts

from backend.invites import CODE_MAX

MAX_ID = 2**63 - 1
"""Largest value of a Postgres bigint."""
PAGE_MAX = 100


def storable(value: str) -> str:
    """Return `value` if Postgres can store it; raises ValueError."""
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


PUBLIC_NAME = "the name of a public channel begins with '#', followed by at least one other character"


def is_public_name(name: str) -> bool:
    """Return whether a public channel may have this name."""
    return name.startswith("#") and texts.is_visible(name.lstrip("# "))


def _if_text(change: Callable[[str], str]) -> BeforeValidator:
    """Apply `change` to strings before lengths are checked; other types are refused later."""
    return BeforeValidator(lambda value: change(value) if isinstance(value, str) else value)


def _link(value: str) -> str:
    if any(char.isspace() or unicodedata.category(char) == "Cc" for char in value) or "\\" in value:
        raise ValueError("must not contain spaces, backslashes or control characters")
    if value.startswith("/") and not value.startswith("//"):
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http(s) address, or a path that begins with one slash")
    return value


Id = Annotated[int, Field(ge=1, le=MAX_ID, strict=True)]
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]
Before = Annotated[int, Query(ge=1, le=MAX_ID, description="The `next` of the previous page.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Maximum number of items.")]

Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{3,32}$", description="Letters, digits, `.`, `_`, `-`.")]
DisplayName = Annotated[str, Field(max_length=64), _if_text(texts.name)]
Password = Annotated[str, Field(min_length=8, max_length=256), AfterValidator(storable), _if_text(texts.nfc)]
ChannelName = Annotated[str, Field(max_length=80), _if_text(texts.name)]
InviteCode = Annotated[
    str,
    Field(min_length=1, max_length=CODE_MAX, description="The code of an invite, if registration needs one."),
    AfterValidator(storable),
]
Content = Annotated[str, Field(min_length=1, max_length=8000), AfterValidator(storable), AfterValidator(texts.content)]
Link = Annotated[str, Field(max_length=2048), AfterValidator(_link)]


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Registration(BaseModel):
    """A new user."""

    model_config = _example(username="ada", password="a long passphrase of five words", display_name="Ada")  # noqa: S106  an example

    username: Username
    password: Password
    display_name: DisplayName | None = None
    invite: InviteCode | None = None


class AccountDeletion(BaseModel):
    """Confirmation of an account's deletion by its password."""

    model_config = _example(password="a long passphrase of five words")  # noqa: S106  an example

    password: Annotated[str, Field(max_length=256), AfterValidator(storable)]


class PasswordChange(BaseModel):
    """A new password, confirmed by the present one."""

    model_config = _example(password="the present passphrase", new_password="a long passphrase of five words")  # noqa: S106  an example

    password: Annotated[str, Field(max_length=256), AfterValidator(storable)]
    new_password: Password


class ChannelCreate(BaseModel):
    """A new channel."""

    model_config = _example(name="#invoices", type="public")

    # The validator of the name reads the type, so the type comes first.
    type: Literal["public", "private"] = "public"
    name: ChannelName

    @field_validator("name")
    @classmethod
    def _marked(cls, name: str, others: ValidationInfo) -> str:
        if others.data.get("type") == "public" and not is_public_name(name):
            raise ValueError(PUBLIC_NAME)
        return name


class ChannelChange(BaseModel):
    """A channel's new name."""

    model_config = _example(name="#invoices-of-may")

    name: ChannelName


class MemberAdd(BaseModel):
    """The user to add to a channel."""

    model_config = _example(user_id=1)

    user_id: Id


class MessageCreate(BaseModel):
    """A new message."""

    model_config = _example(content="The invoices of May are here.")

    content: Content
    image_url: Link | None = None


class User(BaseModel):
    """Public data of a user."""

    id: int
    username: str
    display_name: str
    is_operator: bool


class Session(BaseModel):
    """A new session. The same token is set as the cookie."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: User


class Channel(BaseModel):
    """A channel."""

    id: int
    name: str
    type: Literal["public", "private"]
    is_direct: bool
    created_by: int | None
    created_at: datetime


class Member(BaseModel):
    """A member of a channel."""

    user_id: int
    username: str
    display_name: str
    joined_at: datetime


class Message(BaseModel):
    """A stored message. A welcome to `target_user_id` has no sender. If its sender was deleted, `sender_id` is null,
    and `username` is `(deleted)`."""

    id: int
    content: str
    image_url: str | None
    sender_id: int | None
    username: str | None
    display_name: str | None
    channel_id: int
    timestamp: datetime
    target_user_id: int | None


class Invite(BaseModel):
    """An invite for one registration."""

    id: int
    created_by: int | None
    created_at: datetime
    expires_at: datetime
    used_by: int | None
    used_at: datetime | None


class NewInvite(BaseModel):
    """A new invite. `code` is shown only once."""

    id: int
    created_at: datetime
    expires_at: datetime
    code: str


class InvitePage(BaseModel):
    """Invites, and the `before` of the next page."""

    items: list[Invite]
    next: int | None


class ChannelPage(BaseModel):
    """Channels, and the `before` of the next page."""

    items: list[Channel]
    next: int | None


class MemberPage(BaseModel):
    """Members, and the `before` of the next page."""

    items: list[Member]
    next: int | None


class MessagePage(BaseModel):
    """Messages, oldest first, and the `before` of the page with older ones."""

    items: list[Message]
    next: int | None
