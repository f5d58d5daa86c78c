"""Channels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg.errors import UniqueViolation
from pydantic import AfterValidator
from servicekit import texts
from servicekit.codes import Code
from servicekit.events import Event

from backend.access import require_creator
from backend.database import DELETION_TIMEOUT_S, Row
from backend.deps import Authenticated, Writer
from backend.direct import DirectRoute
from backend.errors import (
    ChannelExists,
    DirectChannel,
    DirectWithOneself,
    NoSuchChannel,
    NoSuchUser,
    UserDeleted,
    invalid_field,
)
from backend.live import frames
from backend.queries import channels as sql
from backend.queries import users as users_sql
from backend.responses import REPEATABLE, json_response, page_response, pick, refusals
from backend.schemas import (
    MAX_ID,
    PUBLIC_NAME,
    Before,
    Channel,
    ChannelChange,
    ChannelCreate,
    ChannelPage,
    Limit,
    PathId,
    is_public_name,
    storable,
)

OF_CHANNEL = (Code.NO_SUCH_CHANNEL, Code.NOT_A_MEMBER)
"""Refusals of calls of a channel."""
router = APIRouter(prefix="/channels", tags=["channels"], route_class=DirectRoute)

_NAME_HELP = "Beginning of the name, in any case, with or without the `#`."
CHANNEL = ("id", "name", "type", "is_direct", "created_by", "created_at")
"""The columns of a channel that clients see."""


@router.post(
    "/",
    status_code=201,
    response_model=Channel,
    responses=refusals(Code.CHANNEL_EXISTS),
    openapi_extra=REPEATABLE,
)
async def create_channel(body: ChannelCreate, caller: Writer) -> Response:
    """Create a channel and become its first member."""
    wanted = {"name": body.name, "type": body.type, "user_id": caller.user.user_id}
    row = await caller.writing.fetch_one(sql.CREATE, wanted, body)
    if row is None:
        if await caller.db.fetch_one(users_sql.BY_ID, {"id": caller.user.user_id}) is None:
            raise UserDeleted
        raise ChannelExists
    if not caller.writing.is_repeated:
        user_id = caller.user.user_id
        caller.events.emit(row["id"], frames.welcome(row, user_id), [user_id], event_id=row["event_id"])
    return json_response(pick(row, CHANNEL), 201)


@router.get("/", response_model=ChannelPage)
async def list_channels(caller: Authenticated, before: Before = MAX_ID, limit: Limit = 50) -> Response:
    """List the public channels and one's own private ones, newest first."""
    rows = await caller.db.fetch_all(sql.LIST, {"user_id": caller.user.user_id, "before": before, "limit": limit + 1})
    return page_response(rows, limit, "id")


@router.get("/search", response_model=ChannelPage)
async def search_channels(
    caller: Authenticated,
    name: Annotated[str, Query(max_length=80, description=_NAME_HELP), AfterValidator(storable)],
    before: Before | None = None,
    limit: Limit = 50,
) -> Response:
    """Find channels by the beginning of their names, in that order; private ones only where one is a member."""
    rows = await caller.db.fetch_all(
        sql.SEARCH,
        {"prefix": texts.normal(name).lstrip("#"), "user_id": caller.user.user_id, "after": before, "limit": limit + 1},
    )
    for row in rows:
        del row["key"]
    return page_response(rows, limit, "id")


@router.post(
    "/dm/{user_id}",
    response_model=Channel,
    responses={201: {"model": Channel}, **refusals(Code.NO_SUCH_USER, Code.DIRECT_WITH_ONESELF)},
)
async def open_direct_channel(user_id: PathId, caller: Authenticated) -> Response:
    """Open the one private channel of two users: 201 if it is new, 200 if it was there."""
    if user_id == caller.user.user_id:
        raise DirectWithOneself
    user = caller.user
    wanted = {
        "user_id": user.user_id,
        "other_id": user_id,
        "direct_key": "{}:{}".format(*sorted((user.user_id, user_id))),
    }

    def joined(row: Row) -> list[Event]:
        people = [
            {"user_id": who_id, "username": row[f"{who}_username"], "display_name": row[f"{who}_display_name"]}
            for who, who_id in (("my", user.user_id), ("other", user_id))
        ]
        return [frames.membership("join", channel_id=row["id"], channel_name=row["name"], user=one) for one in people]

    if (row := await caller.db.fetch_one(sql.DIRECT, wanted)) is not None:
        return json_response(pick(row, CHANNEL))
    if (row := await caller.events.write(sql.CREATE_DIRECT, wanted, joined)) is not None:
        return json_response(pick(row, CHANNEL), 201)
    # Asked again, because another request may have been faster.
    if (row := await caller.db.fetch_one(sql.DIRECT, wanted)) is not None:
        return json_response(pick(row, CHANNEL))
    if await caller.db.fetch_one(users_sql.BY_ID, {"id": user.user_id}) is None:
        raise UserDeleted
    raise NoSuchUser


@router.patch(
    "/{channel_id}",
    response_model=Channel,
    responses=refusals(*OF_CHANNEL, Code.NOT_THE_CREATOR, Code.CHANNEL_EXISTS, Code.DIRECT_CHANNEL),
)
async def rename_channel(channel_id: PathId, body: ChannelChange, caller: Authenticated) -> Response:
    """Rename a channel. Only its creator can; a direct channel keeps its name."""
    wanted = {
        "channel_id": channel_id,
        "user_id": caller.user.user_id,
        "name": body.name,
        "is_marked": is_public_name(body.name),
    }

    def renamed(row: Row) -> list[Event]:
        return [frames.channel_renamed(channel_id, row["name"], caller.user.user_id)] if row["changed"] else []

    try:
        row = await caller.events.write(sql.RENAME, wanted, renamed)
    except UniqueViolation:
        raise ChannelExists from None
    if row is None:
        access = await require_creator(caller.db, channel_id, caller.user.user_id)
        if access["is_direct"]:
            raise DirectChannel("a direct channel keeps its name")
        raise invalid_field("name", PUBLIC_NAME)
    return json_response(pick(row, CHANNEL))


@router.delete(
    "/{channel_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(*OF_CHANNEL, Code.NOT_THE_CREATOR, Code.TOO_MUCH_AT_ONCE),
)
async def delete_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Delete a channel with its content. Only its creator can; of a direct channel, both members."""
    wanted = {"channel_id": channel_id, "user_id": caller.user.user_id}

    def deleted(row: Row) -> list[Event]:
        return [frames.channel_deleted(channel_id, row["name"], caller.user.user_id, row["member_ids"])]

    gone = await caller.events.write(sql.DELETE, wanted, deleted, timeout_s=DELETION_TIMEOUT_S)
    if gone is None:
        await require_creator(caller.db, channel_id, caller.user.user_id)
        raise NoSuchChannel  # Deleted since the statement ran.
    return Response(status_code=204)
