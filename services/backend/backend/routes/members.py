"""Members of channels."""

from __future__ import annotations

import psycopg
from fastapi import APIRouter
from fastapi.responses import Response
from servicekit.codes import Code
from servicekit.events import Event

from backend.access import require_channel, require_creator, require_member
from backend.database import Database, Row
from backend.deps import Authenticated, Caller
from backend.direct import DirectRoute
from backend.errors import DirectChannel, NoSuchMember, NoSuchUser, NotAMember, UserDeleted
from backend.live import frames
from backend.live.events import EventBus
from backend.queries import channels as sql
from backend.responses import json_response, page_response, pick, refusals
from backend.routes.channels import CHANNEL, OF_CHANNEL
from backend.schemas import MAX_ID, Before, Channel, Limit, Member, MemberAdd, MemberPage, PathId

router = APIRouter(prefix="/channels", tags=["channels"], route_class=DirectRoute)

_MEMBER = ("user_id", "username", "display_name", "joined_at")


@router.post("/{channel_id}/join", response_model=Channel, responses=refusals(*OF_CHANNEL))
async def join_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Join a public channel; no change for a member."""
    try:
        row = await _add(caller.db, caller.events, channel_id, caller.user.user_id, adder_id=caller.user.user_id)
    except psycopg.errors.ForeignKeyViolation as error:
        if error.diag.constraint_name == "memberships_user_id_fkey":
            # Here it is the caller who was deleted meanwhile, not another user.
            raise UserDeleted from error
        raise
    return json_response(pick(row, CHANNEL))


@router.post(
    "/{channel_id}/leave",
    status_code=204,
    response_class=Response,
    responses=refusals(*OF_CHANNEL, Code.DIRECT_CHANNEL),
)
async def leave_channel(channel_id: PathId, caller: Authenticated) -> Response:
    """Leave a channel."""
    user_id = caller.user.user_id
    if await _remove(caller, channel_id, user_id) is None:
        await require_member(caller.db, channel_id, user_id)
        raise DirectChannel
    return Response(status_code=204)


@router.get("/{channel_id}/members", response_model=MemberPage, responses=refusals(*OF_CHANNEL))
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
    responses={200: {"model": Member}, **refusals(*OF_CHANNEL, Code.NO_SUCH_USER, Code.DIRECT_CHANNEL)},
)
async def add_member(channel_id: PathId, body: MemberAdd, caller: Authenticated) -> Response:
    """Add a user to a channel: 201 for a new member, 200 for an existing one. Only members can add others."""
    row = await _add(caller.db, caller.events, channel_id, body.user_id, adder_id=caller.user.user_id)
    return json_response(pick(row, _MEMBER), 201 if row["joined"] else 200)


@router.delete(
    "/{channel_id}/members/{user_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(*OF_CHANNEL, Code.NOT_THE_CREATOR, Code.NO_SUCH_MEMBER, Code.DIRECT_CHANNEL),
)
async def remove_member(channel_id: PathId, user_id: PathId, caller: Authenticated) -> Response:
    """Remove a member from a channel. Only its creator can remove others; a direct channel keeps its members."""
    if await _remove(caller, channel_id, user_id) is None:
        access = await require_channel(caller.db, channel_id, caller.user.user_id)
        if access["is_direct"]:
            raise DirectChannel if access["is_member"] else NotAMember
        if user_id != caller.user.user_id:
            await require_creator(caller.db, channel_id, caller.user.user_id)
        raise NoSuchMember
    return Response(status_code=204)


async def _remove(caller: Caller, channel_id: int, member_id: int) -> Row | None:
    """End a membership and announce it. None: the statement changed nothing."""
    wanted = {"channel_id": channel_id, "member_id": member_id, "user_id": caller.user.user_id}

    def left(row: Row) -> list[Event]:
        event = frames.membership("leave", channel_id=channel_id, channel_name=row["channel_name"], user=row)
        # A user who was removed is no member any more, and is told, too.
        return [event] if member_id == caller.user.user_id else [event, Event(None, event.frame, [member_id])]

    return await caller.events.write(sql.REMOVE_MEMBER, wanted, left)


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
            raise DirectChannel if row["is_direct"] else NotAMember  # NotAMember: joined since the statement ran.
    if row["joined"]:
        join = frames.membership("join", channel_id=channel_id, channel_name=row["name"], user=row)
        events.emit(channel_id, join.frame, event_id=row["join_event_id"])
        events.emit(channel_id, frames.welcome(row, user_id), [user_id], event_id=row["welcome_event_id"])
    return row
