"""Channels and their members."""

from __future__ import annotations

from typing import Annotated

import psycopg
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator
from servicekit import texts
from servicekit.codes import Code

from backend.access import require_channel, require_member
from backend.database import DELETION_TIMEOUT_S, Database, Row
from backend.deps import Authenticated, Writer
from backend.errors import (
    ChannelExists,
    DirectChannel,
    DirectWithOneself,
    NoSuchUser,
    NotAMember,
    NotTheCreator,
    UserDeleted,
)
from backend.live import frames
from backend.live.events import EventBus
from backend.queries import channels as sql
from backend.queries import users as users_sql
from backend.responses import REPEATABLE, json_response, page_response, refusals
from backend.schemas import (
    MAX_ID,
    Before,
    Channel,
    ChannelCreate,
    ChannelPage,
    Limit,
    Member,
    MemberAdd,
    MemberPage,
    PathId,
    storable,
)

_OF_CHANNEL = (Code.NO_SUCH_CHANNEL, Code.NOT_A_MEMBER)
router = APIRouter(prefix="/channels", tags=["channels"])

_NAME_HELP = "Beginning of the name, in any case, with or without the `#`."
_CHANNEL = ("id", "name", "type", "is_direct", "created_by", "created_at")
_MEMBER = ("user_id", "username", "display_name", "joined_at")


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
        caller.events.emit(row["id"], frames.welcome(row, caller.user.user_id), [caller.user.user_id])
    return json_response(_pick(row, _CHANNEL), 201)


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
    # Asked again, because another request may have been faster by less than a statement sees.
    row = await caller.db.fetch_one(sql.OPEN_DIRECT, wanted) or await caller.db.fetch_one(sql.OPEN_DIRECT, wanted)
    if row is None:
        if await caller.db.fetch_one(users_sql.BY_ID, {"id": user.user_id}) is None:
            raise UserDeleted
        raise NoSuchUser
    if not row["made"]:
        return json_response(_pick(row, _CHANNEL))
    for who, member_id in (("my", user.user_id), ("other", user_id)):
        member = {
            "user_id": member_id,
            "username": row[f"{who}_username"],
            "display_name": row[f"{who}_display_name"],
        }
        frame = frames.membership("join", channel_id=row["id"], channel_name=row["name"], user=member)
        caller.events.emit(row["id"], frame)
    return json_response(_pick(row, _CHANNEL), 201)


@router.delete(
    "/{channel_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(*_OF_CHANNEL, Code.NOT_THE_CREATOR, Code.TOO_MUCH_AT_ONCE),
)
async def delete_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Delete a channel with its content. Only its creator can; of a direct channel, both members."""
    wanted = {"channel_id": channel_id, "user_id": caller.user.user_id}
    gone = await caller.db.fetch_one(sql.DELETE, wanted, timeout_s=DELETION_TIMEOUT_S)
    if gone is None:
        access = await require_channel(caller.db, channel_id, caller.user.user_id)
        raise NotTheCreator if access["is_member"] or access["type"] == "public" else NotAMember
    caller.events.emit(None, frames.channel_deleted(channel_id, gone["name"], caller.user.user_id), gone["member_ids"])
    return Response(status_code=204)


@router.post("/{channel_id}/join", response_model=Channel, responses=refusals(*_OF_CHANNEL))
async def join_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Join a public channel; no change for a member."""
    try:
        row = await _add(caller.db, caller.events, channel_id, caller.user.user_id, adder_id=caller.user.user_id)
    except psycopg.errors.ForeignKeyViolation as error:
        if error.diag.constraint_name == "memberships_user_id_fkey":
            # Here it is the caller who was deleted meanwhile, not another user.
            raise UserDeleted from error
        raise
    return json_response(_pick(row, _CHANNEL))


@router.post(
    "/{channel_id}/leave",
    status_code=204,
    response_class=Response,
    responses=refusals(*_OF_CHANNEL, Code.DIRECT_CHANNEL),
)
async def leave_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Leave a channel."""
    gone = await caller.db.fetch_one(sql.LEAVE, {"channel_id": channel_id, "user_id": caller.user.user_id})
    if gone is None:
        await require_member(caller.db, channel_id, caller.user.user_id)
        raise DirectChannel
    caller.events.emit(
        channel_id,
        frames.membership("leave", channel_id=channel_id, channel_name=gone["channel_name"], user=gone),
    )
    return Response(status_code=204)


@router.get("/{channel_id}/members", response_model=MemberPage, responses=refusals(*_OF_CHANNEL))
async def list_members(
    channel_id: PathId, caller: Authenticated, before: Before = MAX_ID, limit: Limit = 50
) -> Response:
    """List a channel's members, newest user first. A private channel shows them to members only."""
    rows = await caller.db.fetch_all(
        sql.MEMBERS,
        {"channel_id": channel_id, "user_id": caller.user.user_id, "before": before, "limit": limit + 1},
    )
    if not rows:
        access = await require_channel(caller.db, channel_id, caller.user.user_id)
        if access["type"] == "private" and not access["is_member"]:
            raise NotAMember
    return page_response(rows, limit, "user_id")


@router.post(
    "/{channel_id}/members",
    status_code=201,
    response_model=Member,
    responses={
        200: {"model": Member},
        **refusals(*_OF_CHANNEL, Code.NO_SUCH_USER, Code.DIRECT_CHANNEL),
    },
)
async def add_member(channel_id: PathId, body: MemberAdd, caller: Authenticated) -> Response:
    """Add a user to a channel: 201 for a new member, 200 for an existing one. Only members can add to a private one."""
    row = await _add(caller.db, caller.events, channel_id, body.user_id, adder_id=caller.user.user_id)
    return json_response(_pick(row, _MEMBER), 201 if row["joined"] else 200)


async def _add(db: Database, events: EventBus, channel_id: int, user_id: int, *, adder_id: int) -> Row:
    """Make a user a member and announce it. Raises NoSuchChannel, NoSuchUser, DirectChannel or NotAMember."""
    wanted = {"channel_id": channel_id, "user_id": user_id, "adder_id": adder_id}
    row = await db.fetch_one(sql.ADD_MEMBER, wanted)
    while row is not None and row["allowed"] and row["joined_at"] is None:
        # A concurrent request added the user after this statement's snapshot.
        row = await db.fetch_one(sql.ADD_MEMBER, wanted)
    if row is None:
        await require_channel(db, channel_id, user_id)
        if user_id == adder_id:
            raise UserDeleted
        raise NoSuchUser
    if not row["allowed"]:
        await require_member(db, channel_id, adder_id)
        if user_id != adder_id:
            raise DirectChannel
    if row["joined"]:
        events.emit(channel_id, frames.membership("join", channel_id=channel_id, channel_name=row["name"], user=row))
        events.emit(channel_id, frames.welcome(row, user_id), [user_id])
    return row


def _pick(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row[name] for name in names}
