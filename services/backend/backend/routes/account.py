"""Deletion of accounts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from servicekit.codes import Code

from backend.addresses import client_address
from backend.database import DELETION_TIMEOUT_S
from backend.deps import Authenticated, ProcessServices
from backend.errors import LastOperator, UserDeleted, WrongPassword
from backend.live import frames
from backend.queries import users as sql
from backend.responses import refusals
from backend.schemas import AccountDeletion

router = APIRouter(prefix="/auth", tags=["auth"])


@router.delete(
    "/me",
    status_code=204,
    response_class=Response,
    responses=refusals(
        Code.WRONG_PASSWORD,
        Code.LAST_OPERATOR,
        Code.TOO_MUCH_AT_ONCE,
        Code.TOO_MANY_ATTEMPTS,
    ),
)
async def delete_me(
    request: Request, body: AccountDeletion, caller: Authenticated, services: ProcessServices
) -> Response:
    """Delete the caller's account; needs the password. Messages and uploads stay, without the user's name."""
    user = caller.user
    address = client_address(request)
    lane = await services.throttle.login(user.username, address)
    row = await caller.db.fetch_one(sql.HASH_OF, {"id": user.user_id})
    if row is None:
        raise UserDeleted
    if not await services.passwords.matches(row["password_hash"], body.password, lane):
        raise WrongPassword
    await services.throttle.succeeded(user.username, address)
    gone = await caller.db.fetch_one(sql.DELETE, {"id": user.user_id}, timeout_s=DELETION_TIMEOUT_S)
    if gone is None:
        if await caller.db.fetch_one(sql.BY_ID, {"id": user.user_id}) is None:
            raise UserDeleted
        raise LastOperator
    services.users.forget(user.user_id)
    for channel_id, name in gone["channels"]:
        frame = frames.membership("leave", channel_id=channel_id, channel_name=name, user=gone)
        caller.events.emit(channel_id, frame)
    caller.events.emit(None, frames.ACCOUNT_DELETED, [user.user_id])
    response = Response(status_code=204)
    services.sessions.clear_cookie(response)
    return response
