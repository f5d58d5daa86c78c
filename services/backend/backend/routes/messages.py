"""Messages."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from servicekit.codes import Code

from backend.access import require_member
from backend.deps import Authenticated, Writer
from backend.direct import DirectRoute
from backend.errors import NotAMember
from backend.live import frames
from backend.queries import messages as sql
from backend.responses import REPEATABLE, json_response, refusals
from backend.schemas import MAX_ID, Before, Limit, Message, MessageCreate, MessagePage, PathId

router = APIRouter(prefix="/channels/{channel_id}/messages", tags=["messages"], route_class=DirectRoute)


@router.post(
    "",
    status_code=201,
    response_model=Message,
    responses=refusals(Code.NO_SUCH_CHANNEL, Code.NOT_A_MEMBER),
    openapi_extra=REPEATABLE,
)
async def post_message(channel_id: PathId, body: MessageCreate, caller: Writer) -> Response:
    """Store a message and announce it to the channel's members."""
    writing = caller.writing
    row = await writing.fetch_one(
        sql.POST,
        {
            "channel_id": channel_id,
            "user_id": caller.user.user_id,
            "content": body.content,
            "image_url": body.image_url,
        },
        body,
    )
    if row is None:
        await require_member(caller.db, channel_id, caller.user.user_id)
        raise NotAMember  # Joined since the statement ran.
    event_id = row.pop("event_id", None)
    if not writing.is_repeated:
        own = frames.own_key(caller.user.user_id, writing.key)
        caller.events.emit(channel_id, frames.message(row), own=own, event_id=event_id)
    return json_response(row, 201)


@router.get("", response_model=MessagePage, responses=refusals(Code.NO_SUCH_CHANNEL, Code.NOT_A_MEMBER))
async def list_messages(
    channel_id: PathId, caller: Authenticated, before: Before = MAX_ID, limit: Limit = 50
) -> Response:
    """List the newest messages (or those before an id), oldest first, without personal ones of other users."""
    rows = await caller.db.fetch_all(
        sql.LIST, {"channel_id": channel_id, "user_id": caller.user.user_id, "before": before, "limit": limit + 1}
    )
    if not rows:
        await require_member(caller.db, channel_id, caller.user.user_id)
        raise NotAMember  # Joined since the statement ran.
    more = len(rows) > limit
    items = [row for row in rows[:limit] if row["id"] is not None]
    items.reverse()
    for item in items:
        frames.show_sender(item)
    return json_response({"items": items, "next": items[0]["id"] if more else None})
