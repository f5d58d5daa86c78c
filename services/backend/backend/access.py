"""Checks of membership and ownership, used to explain why a statement changed nothing."""

from __future__ import annotations

from backend.database import Database, Row
from backend.errors import NoSuchChannel, NotAMember, NotTheCreator
from backend.queries import channels as sql


async def require_channel(db: Database, channel_id: int, user_id: int) -> Row:
    """Return the channel's `type`, `is_direct`, and `is_member` and `is_creator` for the user. Raises NoSuchChannel."""
    access = await db.fetch_one(sql.ACCESS, {"channel_id": channel_id, "user_id": user_id})
    if access is None:
        raise NoSuchChannel
    return access


async def require_member(db: Database, channel_id: int, user_id: int) -> None:
    """Raise NoSuchChannel or NotAMember unless the user is a member of the channel."""
    access = await require_channel(db, channel_id, user_id)
    if not access["is_member"]:
        raise NotAMember


async def require_creator(db: Database, channel_id: int, user_id: int) -> Row:
    """Return the channel's access for its creator, or for a member if it is direct. Raises why others are refused."""
    access = await require_channel(db, channel_id, user_id)
    if access["is_creator"] or (access["is_direct"] and access["is_member"]):
        return access
    raise NotTheCreator if access["is_member"] or access["type"] == "public" else NotAMember
