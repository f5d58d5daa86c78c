"""A user's own account: its password, and its deletion."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from servicekit.codes import Code
from servicekit.facts import OPERATOR_USERNAME

from backend.addresses import client_address
from backend.database import DELETION_TIMEOUT_S, Row
from backend.deps import Authenticated, Caller, ProcessServices, Services
from backend.errors import LastOperator, PasswordInFile, UserDeleted, WrongPassword, invalid_field
from backend.live import frames
from backend.queries import sessions as sessions_sql
from backend.queries import users as sql
from backend.responses import refusals
from backend.schemas import AccountDeletion, PasswordChange
from backend.throttle import Lane

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/password",
    status_code=204,
    response_class=Response,
    responses=refusals(Code.WRONG_PASSWORD, Code.PASSWORD_IN_FILE, Code.TOO_MANY_ATTEMPTS),
)
async def change_password(
    request: Request, body: PasswordChange, caller: Authenticated, services: ProcessServices
) -> Response:
    """Change the caller's password; needs the present one. All other sessions of the user end."""
    user = caller.user
    if user.is_operator and user.username == OPERATOR_USERNAME:
        raise PasswordInFile
    row, lane = await _verified(request, body.password, caller, services)
    weakness = await services.passwords.weakness(body.new_password, user.username, row["display_name"], lane)
    if weakness is not None:
        raise invalid_field("new_password", weakness)
    wanted = {
        "user_id": user.user_id,
        "password_hash": row["password_hash"],
        "new_hash": await services.passwords.hash(body.new_password, lane),
        "session_id": caller.session_id,
    }
    if await caller.db.fetch_one(sessions_sql.REPLACE_HASH, wanted) is None:
        raise WrongPassword  # Another request has changed it since it was verified.
    _sessions_ended(caller, services)
    return Response(status_code=204)


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
    await _verified(request, body.password, caller, services)
    gone = await caller.events.write(sql.DELETE, {"id": user.user_id}, frames.account_deleted, DELETION_TIMEOUT_S)
    if gone is None:
        if await caller.db.fetch_one(sql.BY_ID, {"id": user.user_id}) is None:
            raise UserDeleted
        raise LastOperator
    _sessions_ended(caller, services)
    response = Response(status_code=204)
    services.sessions.clear_cookie(response)
    return response


async def _verified(request: Request, password: str, caller: Caller, services: Services) -> tuple[Row, Lane]:
    """Return the caller's row and lane if the password is right. Raises WrongPassword, and as for a login."""
    user, address = caller.user, client_address(request)
    lane = await services.throttle.login(user.username, address)
    row = await caller.db.fetch_one(sql.HASH_OF, {"id": user.user_id})
    if row is None:
        raise UserDeleted
    if not await services.passwords.matches(row["password_hash"], password, lane):
        raise WrongPassword
    await services.throttle.succeeded(user.username, address)
    return row, lane


def _sessions_ended(caller: Caller, services: Services) -> None:
    services.users.forget(caller.user.user_id)
    caller.events.emit(None, frames.SESSIONS_CHANGED, [caller.user.user_id])
    if caller.user.is_operator:
        services.tails.end()
