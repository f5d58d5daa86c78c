"""Membership checks, used to explain why a statement changed nothing."""

from __future__ import annotations

from backend.database import Database, Row
from backend.errors import NoSuchChannel, NotAMember
from backend.queries import channels as sql


async def require_channel(db: Database, channel_id: int, user_id: int) -> Row:
    """Return the channel's `type`, and `is_member` for the user. Raises NoSuchChannel."""
    access = await db.fetch_one(sql.ACCESS, {"channel_id": channel_id, "user_id": user_id})
    if access is None:
        raise NoSuchChannel
    return access


async def require_member(db: Database, channel_id: int, user_id: int) -> None:
    """Raise NoSuchChannel or NotAMember unless the user is a member of the channel."""
    access = await require_channel(db, channel_id, user_id)
    if not access["is_member"]:
        raise NotAMember
